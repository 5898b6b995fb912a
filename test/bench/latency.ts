// Plays two-hop questions with late engines, aborts and few slots, and compares every rollout with one played alone in
// time: neither ids nor log-probabilities may depend on when documents come.
// A text that the simulator samples may differ where the drawn number lies within a millionth of the border between two
// tokens, for float32 sums depend on how many rows a call has: once in 30,000 tokens.
// Run: npx tsx test/bench/latency.ts [minutes, default 3] [seed, default the time]
import { hash, uniform } from '../../src/random/seeded-random.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { loadModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { rollOutMany } from '../../src/rollout/roll-out.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { compareRollouts } from '../rollout/compare-rollouts.js'
import { delayedEngine } from '../rollout/delayed-engine.js'

const minutes = Number(process.argv[2] ?? 3)
const seed = Number(process.argv[3] ?? Date.now() % 1e6)
const TOLERANCE = 1e-3

const questions = (await miniQuestions('mini-hotpotqa', 'validation')).slice(0, 64)
const items = questions.map((question, i) => ({ question, seed: 100 + i }))
const simulator = await loadModel(miniCheckpoint('simulator'))
const engines: Record<string, SearchEngine> = {
  bm25: await createBm25Engine(await miniDocuments('validation')),
  simulator: createSimulator(simulator, { prompt: miniSimulatorPrompt }),
}
const latencies: Record<string, [number, number]> = {
  none: [0, 0],
  short: [0, 5],
  http: [50, 100],
  slow: [300, 600],
  any: [0, 300],
}
const policies = new Map(
  await Promise.all(
    [12, 64].map(async (slots) => [slots, await loadModel(miniCheckpoint('ceiling'), { slots })] as const),
  ),
)
const play = (slots: number, searchEngine: SearchEngine, temperature: number, signal?: AbortSignal) =>
  rollOutMany(policies.get(slots)!, items, {
    searchEngine,
    protocol: miniProtocol,
    sampling: { temperature, topP: 1, topK: 0 },
    ...(signal && { signal }),
  })

const expected: Record<string, Awaited<ReturnType<typeof play>>> = {}
for (const [name, engine] of Object.entries(engines)) {
  for (const temperature of [0, 1]) expected[`${name} ${temperature}`] = await play(64, engine, temperature)
}

console.log(`seed ${seed}`)
const pick = <T>(from: readonly T[], ...at: number[]): T => from[Math.floor(uniform(seed, ...at) * from.length)]!
const until = performance.now() + minutes * 60_000
let wrong = 0
let worst = 0
let round = 0
for (; performance.now() < until; round++) {
  const slots = pick([...policies.keys()], round, 1)
  const engineName = pick(Object.keys(engines), round, 2)
  const latency = pick(Object.keys(latencies), round, 3)
  const temperature = pick([0, 1], round, 4)
  const [from, to] = latencies[latency]!
  const engine = delayedEngine(engines[engineName]!, (call) => from + uniform(hash(seed, round), call) * (to - from))
  const aborts = Math.floor(uniform(seed, round, 5) * 4)
  for (let i = 0; i < aborts; i++) {
    const after = Math.floor(uniform(seed, round, 6, i) * 1500)
    const stopped = play(slots, engine, temperature, AbortSignal.timeout(after))
    await stopped.catch(() => undefined)
  }
  const { different, logprobs } = compareRollouts(
    expected[`${engineName} ${temperature}`]!,
    await play(slots, engine, temperature),
  )
  worst = Math.max(worst, logprobs)
  const bad = different > 0 || logprobs > TOLERANCE
  if (bad) wrong++
  console.log(
    `round ${round}: ${engineName}, latency ${latency}, ${slots} slots, temperature ${temperature}, ${aborts} aborts: ` +
      `${different} of ${items.length} differ, log-probabilities by ${logprobs.toExponential(1)}${bad ? '  WRONG' : ''}`,
  )
}
console.log(`${round} rounds, ${wrong} wrong, log-probabilities differ by ${worst.toExponential(1)} at most`)
process.exit(wrong === 0 ? 0 : 1)
