import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { rollOut, rollOutMany } from '../../src/rollout/roll-out.js'
import type { Question } from '../../src/schema/question.js'
import type { SearchEngine } from '../../src/search/search-engine.js'

// A real model with random weights: what it says is noise, how it is played is not.
const folder = fileURLToPath(new URL('../parity/fixtures/checkpoints/qwen2', import.meta.url))
let policy: LocalModel
beforeAll(async () => {
  policy = await loadModel(folder, { slots: 4 })
})
afterAll(() => policy.dispose())

const items = Array.from({ length: 9 }, (_, n) => ({
  question: { id: `d-test-${n}`, dataset: 'd', question: `who is ${n}?`, goldAnswers: ['Ada'] } satisfies Question,
  seed: 100 + n,
}))
const searchEngine: SearchEngine = { name: 'none', search: () => Promise.resolve([]) }
const options = { searchEngine, protocol: { ...miniProtocol, maxSearches: 2, maxTokensPerTurn: 12 } }

test('more rollouts than slots all end, and each is what it would have been alone', async () => {
  const together = await rollOutMany(policy, items, options)
  expect(together.map(({ question }) => question.id)).toEqual(items.map(({ question }) => question.id))
  for (const [i, trajectory] of together.entries()) {
    expect(trajectory.failure).toBeUndefined()
    const spoken = trajectory.ids.filter((_, at) => trajectory.lossMask[at] === 1)
    expect(spoken.length).toBeGreaterThan(0)
    expect(
      trajectory.logprobs.every((logprob, at) => (trajectory.lossMask[at] === 1 ? logprob < 0 : logprob === 0)),
    ).toBe(true)
    if (i % 4 !== 0) continue
    const alone = await rollOut(policy, items[i]!.question, { ...options, seed: items[i]!.seed })
    expect(alone.ids).toEqual(trajectory.ids)
    expect(alone.lossMask).toEqual(trajectory.lossMask)
    alone.logprobs.forEach((logprob, at) => expect(logprob).toBeCloseTo(trajectory.logprobs[at]!, 4))
  }
})

test('stopping gives every slot back, those that were waited for included', async () => {
  const controller = new AbortController()
  const stopped = rollOutMany(policy, items, { ...options, signal: controller.signal })
  controller.abort(new Error('stopped by hand'))
  await expect(stopped).rejects.toThrow('stopped by hand')
  const after = await rollOutMany(policy, items, options)
  expect(after.every(({ failure }) => failure === undefined)).toBe(true)
})

test.each([
  [{ slots: 0 }, 'slots must be a positive integer, got 0'],
  [{ slots: NaN }, 'slots must be a positive integer, got NaN'],
  [{ tokensPerCall: 0 }, 'tokensPerCall must be a positive integer, got 0'],
  [{ prefillChunk: 1.5 }, 'prefillChunk must be a positive integer, got 1.5'],
  [{ contextLength: 1 }, 'contextLength must be at least 2, got 1; for a prompt and an answer'],
  [{ contextLength: 1e9 }, 'contextLength must be at most '],
  [{ slot: 4 }, 'there is no option slot; did you mean slots?'],
])('loading with %o is refused', async (change, message) => {
  await expect(loadModel(folder, change as never)).rejects.toThrow(`load model: ${message}`)
})
