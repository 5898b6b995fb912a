// npx tsx test/bench/bm25.ts [another bm25.ts …]: the BM25 index over 200,000 documents of 100 words: seconds, growth of
// resident memory, the longest time for which the event loop stood still. Implementations given as paths (an older
// checkout's src/search/bm25.ts) are measured beside this one, each in a process of its own, in one run.
// npx tsx test/bench/bm25.ts --saved [1000000]: so many documents are indexed and saved in one process, and the index is
// loaded and searched in another.
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath, pathToFileURL } from 'node:url'
import { setTimeout as sleep } from 'node:timers/promises'
import { createBm25Engine, loadBm25 } from '../../src/search/bm25.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
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
else if (first === '--saved') saved(others[0] ?? '1000000')
else if (first === '--save') console.log(JSON.stringify(await save(Number(others[0]), others[1]!)))
else if (first === '--load') console.log(JSON.stringify(await load(others[0]!)))
else compare([...(first === undefined ? [] : [first]), ...others])

function compare(paths: readonly string[]): void {
  const present = fileURLToPath(new URL('../../src/search/bm25.ts', import.meta.url))
  const results = new Map<string, Measured>()
  for (const path of [...paths.map((path) => resolve(path)), present]) {
    results.set(path, runChild('--child', path) as Measured)
  }
  const numbers = [...results].map(([path, { found, ...measured }]) => ({ path, ...measured, found: found.length }))
  console.table(numbers)
  const rankings = new Set([...results.values()].map(({ found }) => found))
  console.log(rankings.size === 1 ? 'all of them find the same documents' : 'THEY FIND DIFFERENT DOCUMENTS')
}

/** Runs this script in a process of its own. */
function runChild(...args: string[]): unknown {
  const self = fileURLToPath(import.meta.url)
  const child = spawnSync(
    process.execPath,
    ['--expose-gc', '--max-old-space-size=8000', '--import', 'tsx', self, ...args],
    { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] },
  )
  if (child.status !== 0) throw new Error(`bench: ${args.join(' ')} failed`)
  return JSON.parse(child.stdout)
}

function saved(count: string): void {
  const folder = join(mkdtempSync(join(tmpdir(), 'bm25-')), 'index')
  try {
    const made = runChild('--save', count, folder) as { found: string }
    const loaded = runChild('--load', folder) as { found: string }
    const bytes = readdirSync(folder).reduce((sum, name) => sum + statSync(join(folder, name)).size, 0)
    console.log({ made: { ...made, found: made.found.length }, loaded: { ...loaded, found: loaded.found.length } })
    console.log(
      `${Math.round(bytes / 2 ** 20)} MB; ${made.found === loaded.found ? 'the same documents' : 'OTHER DOCUMENTS'}`,
    )
  } finally {
    rmSync(join(folder, '..'), { recursive: true, force: true })
  }
}

function seconds(since: number): number {
  return Math.round((performance.now() - since) / 100) / 10
}
function megabytes(bytes: number): number {
  return Math.round(bytes / 2 ** 20)
}

async function save(count: number, folder: string): Promise<object> {
  const documents = texts(count)
  const textMb = megabytes(resident())
  const started = performance.now()
  const engine = await createBm25Engine(documents)
  const indexSeconds = seconds(started)
  const indexed = performance.now()
  await engine.save(folder)
  const saveSeconds = seconds(indexed)
  const peakMb = megabytes(peak())
  return { textMb, indexSeconds, saveSeconds, peakMb, restingMb: megabytes(resident()), ...(await searched(engine)) }
}

async function load(folder: string): Promise<object> {
  const empty = resident()
  const started = performance.now()
  const engine = await loadBm25(folder)
  const loadSeconds = seconds(started)
  return {
    loadSeconds,
    peakMb: megabytes(peak() - empty),
    restingMb: megabytes(resident() - empty),
    ...(await searched(engine)),
  }
}

function peak(): number {
  return Number(/VmHWM:\s*(\d+) kB/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024
}

/** 200 searches for three words. */
async function searched(engine: SearchEngine): Promise<{ searchMs: number; found: string }> {
  const found: string[] = []
  const random = createRandom(1)
  const searching = performance.now()
  for (let i = 0; i < 200; i++) {
    const query = [0, 1, 2].map(() => word(random())).join(' ')
    const question = { id: 'q', dataset: 'd', question: query, goldAnswers: ['a'] }
    const documents = await engine.search(query, { question, topK: 5 })
    found.push(...documents.map(({ text, score }) => `${text.slice(0, 20)} ${score}`))
  }
  return { searchMs: Math.round((performance.now() - searching) / 20) / 10, found: found.join('\n') }
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
  const took = seconds(started)
  clearInterval(timer)
  const highest = peak()
  const { searchMs, found } = await searched(engine)
  return {
    seconds: took,
    blockedMs: Math.round(blockedMs),
    busyMs: Math.round(busyMs),
    indexMb: megabytes(highest - begun),
    withTextMb: megabytes(highest - empty),
    restingMb: megabytes(resident() - begun),
    searchMs,
    found,
  }
}

/** Zipf's law, as in a real text: the n-th word of the vocabulary is about n times as rare as the first. */
function word(random: number): string {
  return `w${Math.floor(VOCABULARY ** random).toString(36)}`
}

function texts(count = DOCUMENTS): { title: string; text: string }[] {
  const random = createRandom(0)
  return Array.from({ length: count }, (_, i) => {
    // Joined through a buffer, so that a text is one flat string, as one that was read from a file.
    const text = Buffer.from(Array.from({ length: WORDS }, () => word(random())).join(' ')).toString('latin1')
    return { title: `Document ${i}`, text }
  })
}

function resident(): number {
  globalThis.gc?.()
  return process.memoryUsage.rss()
}
