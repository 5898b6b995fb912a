// npx tsx test/bench/bm25.ts [another bm25.ts …]: the BM25 index over 200,000 documents of 100 words: seconds, growth of
// resident memory, the longest time for which the event loop stood still. Implementations given as paths (an older
// checkout's src/search/bm25.ts) are measured beside this one, each in a process of its own, in one run.
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import type { createBm25Engine } from '../../src/search/bm25.js'
import { createRandom } from '../../src/random/seeded-random.js'

const DOCUMENTS = 200_000
const WORDS = 100
const VOCABULARY = 300_000

interface Measured {
  seconds: number
  /** Longest time between two ticks of a timer of 1 ms while the index is made, and the most processor time of one. */
  blockedMs: number
  busyMs: number
  /** Highest resident memory over that before the index was begun, and over that before there were documents. */
  indexMb: number
  withTextMb: number
  /** Resident memory after the index was made, over that before it was begun. */
  restingMb: number
  /** Mean time of a search for three words. */
  searchMs: number
  found: string
}

const [first, ...others] = process.argv.slice(2)
if (first === '--child') console.log(JSON.stringify(await measure(others[0]!)))
else compare([...(first === undefined ? [] : [first]), ...others])

function compare(paths: readonly string[]): void {
  const self = fileURLToPath(import.meta.url)
  const present = fileURLToPath(new URL('../../src/search/bm25.ts', import.meta.url))
  const results = new Map<string, Measured>()
  for (const path of [...paths.map((path) => resolve(path)), present]) {
    const child = spawnSync(
      process.execPath,
      ['--expose-gc', '--max-old-space-size=8000', '--import', 'tsx', self, '--child', path],
      { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
    )
    if (child.status !== 0) throw new Error(`bench: ${path} failed`)
    results.set(path, JSON.parse(child.stdout) as Measured)
  }
  const numbers = [...results].map(([path, { found, ...measured }]) => ({ path, ...measured, found: found.length }))
  console.table(numbers)
  const rankings = new Set([...results.values()].map(({ found }) => found))
  console.log(rankings.size === 1 ? 'all of them find the same documents' : 'THEY FIND DIFFERENT DOCUMENTS')
}

async function measure(path: string): Promise<Measured> {
  const { createBm25Engine: create } = (await import(pathToFileURL(path).href)) as {
    createBm25Engine: typeof createBm25Engine
  }
  const empty = resident()
  const documents = texts()
  const begun = resident()
  // Linux forgets the highest resident memory until now.
  writeFileSync('/proc/self/clear_refs', '5')
  let blockedMs = 0
  let busyMs = 0
  let last = performance.now()
  let used = process.cpuUsage()
  const look = (): void => {
    const now = performance.now()
    const { user, system } = process.cpuUsage(used)
    blockedMs = Math.max(blockedMs, now - last)
    busyMs = Math.max(busyMs, (user + system) / 1000)
    last = now
    used = process.cpuUsage()
  }
  const timer = setInterval(look, 1)
  await sleep(50)
  const started = performance.now()
  look()
  blockedMs = 0
  busyMs = 0
  const engine = await create(documents)
  look()
  await sleep(0)
  const seconds = (performance.now() - started) / 1000
  clearInterval(timer)
  const peak = Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024
  const found: string[] = []
  const random = createRandom(1)
  const searching = performance.now()
  for (let i = 0; i < 200; i++) {
    const query = [0, 1, 2].map(() => word(random())).join(' ')
    const question = { id: 'q', dataset: 'd', question: query, goldAnswers: ['a'] }
    const documents = await engine.search(query, { question, topK: 5 })
    found.push(...documents.map(({ text, score }) => `${text.slice(0, 20)} ${score}`))
  }
  const searchMs = (performance.now() - searching) / 200
  const mb = (bytes: number): number => Math.round(bytes / 2 ** 20)
  return {
    seconds: Math.round(seconds * 10) / 10,
    blockedMs: Math.round(blockedMs),
    busyMs: Math.round(busyMs),
    indexMb: mb(peak - begun),
    withTextMb: mb(peak - empty),
    restingMb: mb(resident() - begun),
    searchMs: Math.round(searchMs * 10) / 10,
    found: found.join('\n'),
  }
}

/** Zipf's law, as in a real text: the n-th word of the vocabulary is about n times as rare as the first. */
function word(random: number): string {
  return `w${Math.floor(VOCABULARY ** random).toString(36)}`
}

function texts(): { title: string; text: string }[] {
  const random = createRandom(0)
  return Array.from({ length: DOCUMENTS }, (_, i) => {
    // Joined through a buffer, so that a text is one flat string, as one that was read from a file.
    const text = Buffer.from(Array.from({ length: WORDS }, () => word(random())).join(' ')).toString('latin1')
    return { title: `Document ${i}`, text }
  })
}

function resident(): number {
  globalThis.gc?.()
  return process.memoryUsage.rss()
}
