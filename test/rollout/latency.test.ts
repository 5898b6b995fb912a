import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { rollOutMany } from '../../src/rollout/roll-out.js'
import { uniform } from '../../src/random/seeded-random.js'
import type { Question } from '../../src/schema/question.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { compareRollouts } from './compare-rollouts.js'
import { delayedEngine } from './delayed-engine.js'

// Documents that come late change which conversations share a call, and nothing else. The attack at length is
// test/bench/latency.ts.

/** Float32 sums depend on how many rows and places a call has: 5.6e-6 was seen. Another document differs by whole nats. */
const TOLERANCE = 1e-3

let ceiling: LocalModel
let llm: LocalModel
let questions: Question[]
let bm25: SearchEngine
let simulator: SearchEngine
const expected = new Map<string, Trajectory[]>()

beforeAll(async () => {
  ceiling = await loadModel(miniCheckpoint('ceiling'), { slots: 8 })
  llm = await loadModel(miniCheckpoint('simulator'), { slots: 8 })
  questions = (await miniQuestions('mini-hotpotqa', 'validation')).slice(0, 12)
  bm25 = await createBm25Engine(await miniDocuments('validation'))
  simulator = createSimulator(llm, { prompt: miniSimulatorPrompt })
})
afterAll(() => {
  ceiling.dispose()
  llm.dispose()
})

const play = (searchEngine: SearchEngine, temperature: number, signal?: AbortSignal) =>
  rollOutMany(
    ceiling,
    questions.map((question, i) => ({ question, seed: 100 + i })),
    { searchEngine, protocol: miniProtocol, sampling: { temperature, topP: 1, topK: 0 }, ...(signal && { signal }) },
  )

/** What is played one after the other, in which nothing can get in the way of anything. */
async function alone(searchEngine: SearchEngine, temperature: number): Promise<Trajectory[]> {
  const key = `${searchEngine.name} ${temperature}`
  if (!expected.has(key)) {
    const all: Trajectory[] = []
    for (const [i, question] of questions.entries()) {
      const options = { searchEngine, protocol: miniProtocol, sampling: { temperature, topP: 1, topK: 0 } }
      all.push(...(await rollOutMany(ceiling, [{ question, seed: 100 + i }], options)))
    }
    expected.set(key, all)
  }
  return expected.get(key)!
}

function expectSame(got: Trajectory[], wanted: Trajectory[]): void {
  const { different, logprobs } = compareRollouts(wanted, got)
  expect(different).toBe(0)
  expect(logprobs).toBeLessThan(TOLERANCE)
}

describe.each([0, 1])('at temperature %d, more rollouts than slots', (temperature) => {
  test.each([
    ['none', () => 0],
    ['1 ms', () => 1],
    ['5 ms', () => 5],
    ['50 ms', () => 50],
    ['300 ms', () => 300],
    ['0 to 60 ms', (call: number) => uniform(7, call) * 60],
  ] as [string, (call: number) => number][])('latency %s', async (_, latency) => {
    const wanted = await alone(bm25, temperature)
    expect(wanted.filter(({ searches }) => searches > 1).length).toBeGreaterThan(6)
    expectSame(await play(delayedEngine(bm25, latency), temperature), wanted)
  })

  test('an abort in between, and a rerun at once', async () => {
    const wanted = await alone(bm25, temperature)
    const late = delayedEngine(bm25, (call) => uniform(8, call) * 30)
    for (const after of [3, 40, 110]) {
      await expect(play(late, temperature, AbortSignal.timeout(after))).rejects.toThrow('timeout')
      expectSame(await play(late, temperature), wanted)
    }
  })

  test('a simulator in this process, an abort and a rerun at once', async () => {
    const wanted = await alone(simulator, temperature)
    for (const after of [20, 90]) {
      await expect(play(simulator, temperature, AbortSignal.timeout(after))).rejects.toThrow('timeout')
      expectSame(await play(simulator, temperature), wanted)
    }
  })
})
