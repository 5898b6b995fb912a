// What a forecast expects of dynamic sampling, by hand.
import { expect, test } from 'vitest'
import { aQuestion } from './tiny-policy.js'
import { expectedSampling } from '../../src/train/expected-sampling.js'
import type { CheckedOptions } from '../../src/train/train-options.js'

const group = (
  rewards: number[],
): { question: ReturnType<typeof aQuestion>; trajectories: never[]; rewards: number[] } => ({
  question: aQuestion(1),
  trajectories: rewards.map(() => ({}) as never),
  rewards,
})
const expected = (rewards: number[][], samplingRounds?: number): ReturnType<typeof expectedSampling> =>
  expectedSampling(
    { questionsPerUpdate: 8, groupSize: 2, ...(samplingRounds && { samplingRounds }) } as CheckedOptions,
    [{ groups: rewards.map(group), count: 2 * rewards.length }],
  )

test('without rounds, a batch is what it is', () => {
  expect(
    expected([
      [1, 0],
      [1, 1],
    ]),
  ).toEqual({ rounds: [16], learned: 16 })
})

test('each round asks for what is missing still: 16, a half, a quarter', () => {
  expect(
    expected(
      [
        [1, 0],
        [1, 1],
      ],
      3,
    ),
  ).toEqual({ rounds: [16, 8, 4], learned: 14 })
  expect(
    expected(
      [
        [1, 0],
        [0, 1],
      ],
      3,
    ),
  ).toEqual({ rounds: [16], learned: 16 })
})

test('where no group teaches anything, all rounds are played and learned from', () => {
  expect(
    expected(
      [
        [0, 0],
        [1, 1],
      ],
      3,
    ),
  ).toEqual({ rounds: [16, 16, 16], learned: 48 })
})

test('failed rollouts are played and not learned from', () => {
  const [whole, failed] = [group([1, 0]), { ...group([]), trajectories: [] }]
  const sampling = expectedSampling({ questionsPerUpdate: 8, groupSize: 2, samplingRounds: 2 } as CheckedOptions, [
    { groups: [whole, failed], count: 4 },
  ])
  expect(sampling).toEqual({ rounds: [16, 8], learned: 6 })
})
