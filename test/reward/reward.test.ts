import { describe, expect, it, test } from 'vitest'
import { rewardParts } from '../../src/reward/reward.js'
import type { RewardWeights } from '../../src/reward/reward.js'
import type { Trajectory } from '../../src/schema/trajectory.js'

function trajectory(answer: string, tokens: number): Trajectory {
  return {
    question: { id: 'x-1', dataset: 'x', question: 'What is the capital of Peru?', goldAnswers: ['Lima'] },
    turns: [
      { text: 'oops', action: { kind: 'invalid', cause: 'no tag' } },
      { text: `<answer> ${answer}</answer>`, action: { kind: 'answer', answer } },
    ],
    ids: [1, 2, ...Array.from({ length: tokens + 3 }, () => 3)],
    lossMask: [0, 0, ...Array.from({ length: tokens }, () => 1), 0, 0, 0],
    logprobs: [],
    promptLength: 2,
    answer,
    stopReason: 'answer',
    searches: 0,
    seed: 0,
  }
}

test.each<[RewardWeights, string, Record<string, number>]>([
  [{ f1: 1 }, 'the city of Lima', { f1: 0.5 }],
  [{ em: 2, coverEm: 0.5 }, 'the city of Lima', { em: 0, coverEm: 0.5 }],
  [{ em: 2, format: 0.2 }, 'Lima', { em: 2, format: 0.1 }],
  [{ format: -1 }, 'Lima', { format: -0.5 }],
  [{ length: { maxTokens: 12, buffer: 4 } }, 'Lima', { length: -0.5 }],
  [{ f1: 1, length: { maxTokens: 12, buffer: 4, weight: 0.1 } }, 'Lima', { f1: 1, length: -0.05 }],
  [{ length: { maxTokens: 20, buffer: 4 } }, 'Lima', { length: 0 }],
])('%o of "%s"', (weights, answer, parts) => {
  // The policy's own tokens are 10; prompt and observation don't count.
  const near = Object.entries(parts).map(([name, value]) => [name, expect.closeTo(value, 12) as number])
  expect(rewardParts(trajectory(answer, 10), weights)).toEqual(Object.fromEntries(near))
})

describe('what looks like an answer but is none', () => {
  it('has no reward by F1, EM and cover-EM', () => {
    const none = { ...trajectory('', 5), answer: null }
    expect(rewardParts(none, { f1: 1, em: 1, coverEm: 1 })).toEqual({ f1: 0, em: 0, coverEm: 0 })
  })
})
