import { availableParallelism } from 'node:os'
import type { CacheBlock } from './cache-block.js'

/** Blocks that are served at a time, where their decoders let calls run side by side: one for each processor. */
export const LANES = availableParallelism()

/** Blocks of all models that have something to do, and how often another one went before. */
const busy = new Map<CacheBlock, number>()
const served = new Set<CacheBlock>()
let lanes = 0

/** A turn of the event loop: conversations that ask in the same one are served together. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Serves a block until none of its conversations has anything to generate. The block with most active rows goes first, while
 * the others' rows come together; who is passed over gains, so that nobody waits for ever.
 */
export function serveBlock(block: CacheBlock): void {
  if (!busy.has(block)) busy.set(block, 0)
  if (lanes < LANES) void run()
}

async function run(): Promise<void> {
  lanes++
  await turn()
  for (let block = next(); block; block = next()) {
    served.add(block)
    await block.advance()
    served.delete(block)
    await turn()
  }
  lanes--
}

/** The block to serve now; forgets those that have nothing to do. */
function next(): CacheBlock | undefined {
  let best: CacheBlock | undefined
  let highest = 0
  for (const [block, passed] of busy) {
    if (served.has(block)) continue
    const active = block.active().length
    if (active === 0) {
      busy.delete(block)
      continue
    }
    busy.set(block, passed + 1)
    if (active + passed > highest) [best, highest] = [block, active + passed]
  }
  if (best) busy.set(best, 0)
  return best
}
