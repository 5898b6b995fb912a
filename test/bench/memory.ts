// Where the memory of a training goes: GRPO on the mini world against BM25, with a line every few updates, and after the
// training and the models are disposed of.
// Run: npx tsx test/bench/memory.ts [updates, default 100] [questions an update, default 4]
import { readFileSync } from 'node:fs'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { loadModel } from '../../src/language-model/local-model.js'
import { miniProtocol as protocol } from '../../src/mini/protocol.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { compileCount } from '../../src/tensor/compile.js'
import { native } from '../../src/tensor/runtime.js'
import { train } from '../../src/train/train.js'

const [updates = 100, questionsPerUpdate = 4] = process.argv.slice(2).map(Number)
const every = Math.max(1, Math.floor(updates / 10))
const started = performance.now()

const megabytes = (bytes: number): number => Math.round(bytes / 1e6)

/** Resident bytes by what they belong to (Linux): the main heap of malloc, other anonymous memory, files. */
function residentParts(): { heap: number; anonymous: number; files: number } {
  const parts = { heap: 0, anonymous: 0, files: 0 }
  let kind: keyof typeof parts = 'anonymous'
  for (const line of readFileSync('/proc/self/smaps', 'utf8').split('\n')) {
    const mapping = /^[0-9a-f]+-[0-9a-f]+ \S+ \S+ \S+ \d+\s*(.*)$/.exec(line)
    if (mapping) kind = mapping[1] === '[heap]' ? 'heap' : mapping[1] === '' ? 'anonymous' : 'files'
    const resident = /^Rss:\s+(\d+) kB/.exec(line)
    if (resident) parts[kind] += Number(resident[1]) * 1024
  }
  return parts
}

function line(label: string): void {
  const { rss, heapUsed, heapTotal, external } = process.memoryUsage()
  const parts = residentParts()
  const numbers = {
    rss,
    malloc: parts.heap,
    anonymous: parts.anonymous,
    files: parts.files,
    heapUsed,
    heapTotal,
    external,
  }
  const cells = Object.values(numbers).map((bytes) => String(megabytes(bytes)).padStart(9))
  const seconds = ((performance.now() - started) / 1000).toFixed(0)
  const counts = [native.getNumOfTensors(), compileCount(), seconds].map((count) => String(count).padStart(9))
  console.log([label.padEnd(16), ...cells, ...counts].join(' '))
}

const names = [
  'rss',
  'malloc',
  'anonymous',
  'files',
  'heapUsed',
  'heapTotal',
  'external',
  'tensors',
  'compiled',
  'seconds',
]
console.log(['MB'.padEnd(16), ...names.map((name) => name.padStart(9))].join(' '))
line('start')
const policy = await loadModel(miniCheckpoint('policy'), { slots: 96 })
line('policy loaded')
const searchEngine = await createBm25Engine(await miniDocuments('train'))
const questions = [...(await miniQuestions('mini-nq', 'train')), ...(await miniQuestions('mini-hotpotqa', 'train'))]
await train({
  algorithm: 'grpo',
  policy,
  searchEngine,
  questions,
  protocol,
  curriculum: { start: 0, end: 0 },
  updates,
  questionsPerUpdate,
  learningRate: 4e-4,
  onUpdate({ update }) {
    if (update === 1 || update % every === 0) line(`update ${update}`)
    return undefined
  },
})
line('trained')
policy.dispose()
line('disposed')
