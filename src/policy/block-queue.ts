import type { CacheBlock } from './cache-block.js'

/** Blocks of all models that have something to do, and how often another one went before. */
const busy = new Map<CacheBlock, number>()
let serving = false

/** A turn of the event loop: conversations that ask in the same one are served together. */
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/**
 * Serves a block until none of its conversations has anything to generate. The engine does one thing at a time, and a call
 * costs the same for few rows as for many: so the block with most active rows goes first, while the others' rows come
 * together; who is passed over gains, so that nobody waits for ever.
 */
export function serveBlock(block: CacheBlock): void {
  if (!busy.has(block)) busy.set(block, 0)
  if (!serving) void run()
}

async function run(): Promise<void> {
  serving = true
  await turn()
  for (let block = next(); block; block = next()) {
    await block.advance()
    await turn()
  }
  serving = false
}

/** The block to serve now; forgets those that have nothing to do. */
function next(): CacheBlock | undefined {
  let best: CacheBlock | undefined
  let highest = 0
  for (const [block, passed] of busy) {
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
