// What every learner keeps: several steps a batch, a run that goes on as if it had never stopped, a fault that changes nothing.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, test, vi } from 'vitest'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { downloadWeight } from '../../src/model/weights.js'
import { updateRecordSchema } from '../../src/schema/record-schemas.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import type { Group, Learner } from '../../src/train/learner.js'
import { minibatches } from '../../src/train/minibatches.js'
import { createLearner } from '../../src/train/run-config.js'
import type { Algorithm, RunConfig } from '../../src/train/run-config.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { failAfter } from './fail-after.js'
import { settingsOf } from './settings.js'
import { aQuestion, allWeights, alternatingPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'learners-'))
const open: LocalModel[] = []
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

async function load(): Promise<LocalModel> {
  const policy = await alternatingPolicy()
  open.push(policy)
  return policy
}

const run = (policy: LocalModel, more: Partial<TrainOptions>): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine: { name: 'none', search: () => Promise.resolve([]) },
    questions: [aQuestion(1), aQuestion(2), aQuestion(3)],
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0 },
    updates: 4,
    questionsPerUpdate: 2,
    groupSize: 2,
    learningRate: 1e-3,
    warmupRatio: 0,
    ...more,
  })

test.each<[string, Partial<TrainOptions>]>([
  ['PPO', { algorithm: 'ppo', critic: { warmupUpdates: 1, learningRate: 1e-3 } }],
  ['PPO with a shared critic', { algorithm: 'ppo', critic: { shared: true } }],
  ['REINFORCE++ with an adaptive divergence', { algorithm: 'reinforce++', adaptiveKl: { target: 1e-3, horizon: 10 } }],
  ['DAPO with a correction of the sampler', { algorithm: 'dapo', importanceCorrection: { level: 'sequence' } }],
])('a run of %s goes on as if it had never stopped, in epochs and minibatches', async (_, options) => {
  const several = { ...options, epochs: 2, minibatchTrajectories: 3 }
  const straight = await load()
  const expected = await run(straight, several)
  expect(expected.every((record) => updateRecordSchema.safeParse(record).success)).toBe(true)
  const saveTo = join(folder, options.algorithm! + String(options.critic?.shared))
  const policy = await load()
  await run(policy, { ...several, saveTo, updates: 2 })
  const resumed = await run(policy, { ...several, saveTo, resume: true })
  expect(untimed(resumed)).toEqual(untimed(expected))
  expect(await allWeights(policy)).toEqual(await allWeights(straight))
})

it('draws minibatches by the seed, each sequence once, the last one smaller', () => {
  const drawn = minibatches(7, 3, 5)
  expect(drawn.map((places) => places.length)).toEqual([3, 3, 1])
  expect(drawn.flat().sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 4, 5, 6])
  expect(minibatches(7, 3, 5)).toEqual(drawn)
  expect(minibatches(7, 3, 6)).not.toEqual(drawn)
  expect(minibatches(3, undefined, 5)).toEqual([[0, 1, 2]])
})

/** One group whose log-probabilities are not those of the policy. */
function aGroup(rewards: readonly number[], logprob = -3): Group {
  const trajectories = rewards.map((_, i): Trajectory => {
    const ids = [5, 6, 7, 8 + i, 9, 10 + i, 11]
    const lossMask = [0, 0, 1, 1, 0, 1, 1]
    return {
      question: aQuestion(1),
      turns: [],
      ids,
      lossMask,
      logprobs: lossMask.map((mask) => (mask ? logprob : 0)),
      promptLength: 2,
      answer: null,
      stopReason: 'answer',
      searches: 0,
      seed: 0,
    }
  })
  return { question: aQuestion(1), trajectories, rewards }
}

const learnerOf = (policy: LocalModel, algorithm: Algorithm, change: Partial<RunConfig> = {}): Promise<Learner> =>
  createLearner(policy, settingsOf(algorithm, change))

/** All weights that a learner changes, and its counters. */
async function everything(policy: LocalModel, learner: Learner): Promise<unknown> {
  const { weights, counters } = learner.state()
  const states = Object.values(weights).flatMap((of) => Object.values(of))
  return [await allWeights(policy), await Promise.all(states.map(downloadWeight)), counters]
}

describe('a loss or gradient that is not finite', () => {
  test.each<[string, Algorithm, Partial<RunConfig>]>([
    ['GRPO', 'grpo', {}],
    ['PPO', 'ppo', {}],
    ['PPO with a shared critic', 'ppo', { critic: { shared: true } }],
  ])('of %s stops it, with policy, critic and moments as before', async (_, algorithm, change) => {
    const policy = await load()
    const learner = await learnerOf(policy, algorithm, change)
    await learner.step([aGroup([1, 0, 0.5])], 1e-3)
    const before = await everything(policy, learner)
    await expect(learner.step([aGroup([1, 0, 0.5], NaN)], 1e-3)).rejects.toThrow(/must be finite, got NaN/)
    expect(await everything(policy, learner)).toEqual(before)
    await learner.step([aGroup([1, 0, 0.5])], 1e-3)
    expect(await everything(policy, learner)).not.toEqual(before)
    learner.dispose()
  })

  it('of the critic alone leaves the policy as it was too', async () => {
    const policy = await load()
    const learner = await learnerOf(policy, 'ppo')
    await learner.step([aGroup([1, 0, 0.5])], 1e-3)
    const before = await everything(policy, learner)
    await expect(learner.step([aGroup([1e30, 0, 0.5])], 1e-3)).rejects.toThrow(/must be finite, got/)
    expect(await everything(policy, learner)).toEqual(before)
    learner.dispose()
  })
})

describe('a call that fails between microbatches', () => {
  afterEach(() => vi.restoreAllMocks())

  test.each<[string, string, Algorithm, Partial<RunConfig>]>([
    ['GRPO', 'policy_loss', 'grpo', {}],
    ['PPO', 'policy_loss', 'ppo', {}],
    ["PPO's critic", 'value_loss', 'ppo', {}],
    ['PPO with a shared critic', 'policy_loss', 'ppo', { critic: { shared: true } }],
  ])('of %s leaves weights, moments and gradients as if it had never been', async (_, part, algorithm, change) => {
    const learners = await Promise.all(
      [1, 2].map(async () => {
        const policy = await load()
        return { policy, learner: await learnerOf(policy, algorithm, { ...change, microbatchTokens: 8 }) }
      }),
    )
    const [faulty, spared] = learners as [(typeof learners)[0], (typeof learners)[0]]
    const states: unknown[] = []
    for (const { policy, learner } of learners) {
      await learner.step([aGroup([1, 0, 0.5])], 1e-3)
      states.push(await everything(policy, learner))
    }
    expect(states[0]).toEqual(states[1])

    const faults = failAfter(2, part)
    await expect(faulty.learner.step([aGroup([0, 1, 1])], 1e-3)).rejects.toThrow('RESOURCE_EXHAUSTED: a test')
    expect(faults.calls).toBe(2)
    vi.restoreAllMocks()
    expect(await everything(faulty.policy, faulty.learner)).toEqual(states[1])

    for (const { learner } of learners) await learner.step([aGroup([0.2, 1, 0])], 1e-3)
    const [after, expected] = await Promise.all(learners.map(({ policy, learner }) => everything(policy, learner)))
    expect(after).toEqual(expected)
    expect(after).not.toEqual(states[1])
    for (const { learner } of [faulty, spared]) learner.dispose()
  })
})

test.each<Algorithm>(['grpo', 'ppo', 'reinforce++'])(
  '%s compares sampler and trainer where the policy is still the one that sampled',
  async (algorithm) => {
    const said = []
    for (const epochs of [1, 4]) {
      const policy = await load()
      const learner = await learnerOf(policy, algorithm, { epochs })
      const step = await learner.step([aGroup([1, 0, 0.5])], 0.05)
      expect(step.measures!['optimizerSteps']).toBe(epochs)
      said.push([step.samplingLogprobDifferenceMean, step.samplingLogprobDifferenceMax])
      learner.dispose()
    }
    expect(said[0]![0]).toBeGreaterThan(0)
    expect(said[1]).toEqual(said[0])
  },
)

describe('maskObservations: false', () => {
  /** As if the policy had written all that follows the prompt. */
  const written = ({ trajectories, ...group }: Group): Group => ({
    ...group,
    trajectories: trajectories.map((one) => ({ ...one, lossMask: [0, 0, 1, 1, 1, 1, 1] })),
  })

  test.each<[Algorithm, Partial<RunConfig>]>([
    ['grpo', {}],
    ['grpo', { importanceCorrection: {} }],
    ['ppo', {}],
  ])('trains observations as the tokens of the policy are (%s, %j)', async (algorithm, change) => {
    const weightsAfter = async (maskObservations: boolean, group: Group): Promise<unknown> => {
      const policy = await load()
      const learner = await learnerOf(policy, algorithm, { ...change, maskObservations })
      const { samplingLogprobDifferenceMax } = await learner.step([group], 1e-3)
      expect(samplingLogprobDifferenceMax).toBeGreaterThan(0)
      const after = await allWeights(policy)
      learner.dispose()
      return after
    }
    // Log-probabilities that the trainer computes itself: of no consequence here but for the correction, whose weights are 2 then.
    const group = aGroup([1, 0, 0.5], -100)
    const trained = await weightsAfter(false, group)
    expect(trained).not.toEqual(await weightsAfter(true, group))
    if (!change.importanceCorrection) expect(trained).toEqual(await weightsAfter(false, written(group)))
  })
})

describe('PPO', () => {
  it('leaves the policy alone while the critic warms up', async () => {
    const policy = await load()
    const learner = await learnerOf(policy, 'ppo', { critic: { warmupUpdates: 1, learningRate: 1e-2 } })
    const before = await allWeights(policy)
    const first = await learner.step([aGroup([1, 0, 0.5])], 1e-3)
    expect(first).toMatchObject({ gradNorm: 0, measures: { optimizerSteps: 0, explainedVariance: 0 } })
    expect(first.measures!['criticGradNorm']).toBeGreaterThan(0)
    expect(await allWeights(policy)).toEqual(before)
    await learner.step([aGroup([1, 0, 0.5])], 1e-3)
    expect(await allWeights(policy)).not.toEqual(before)
    learner.dispose()
  })

  it("moves the critic less by the factor of a run that went back, as Adam's first step is its rate", async () => {
    const moved = async (rateFactor?: number): Promise<number> => {
      const policy = await load()
      const learner = await learnerOf(policy, 'ppo', { critic: { learningRate: 1e-2, warmupRatio: 0 } })
      const critic = learner.state().weights['critic']!
      const before = await Promise.all(Object.values(critic).map(downloadWeight))
      await learner.step([aGroup([1, 0, 0.5])], 1e-3, rateFactor)
      const after = await Promise.all(Object.values(critic).map(downloadWeight))
      learner.dispose()
      return Math.max(...after.flatMap((data, i) => [...data].map((value, k) => Math.abs(value - before[i]![k]!))))
    }
    const whole = await moved()
    expect(whole).toBeCloseTo(1e-2, 3)
    expect((await moved(0.5)) / whole).toBeCloseTo(0.5, 3)
  })

  test.each([false, true])('has a critic that learns what the trajectories are worth (shared: %s)', async (shared) => {
    const policy = await load()
    const critic = { shared, learningRate: 3e-3, valueCoef: 10 }
    const learner = await learnerOf(policy, 'ppo', { critic, epochs: 4, updates: 100 })
    let last: number | undefined
    for (let update = 0; update < 12; update++) {
      const { measures } = await learner.step([aGroup([1, 0, 0.5])], shared ? 1e-3 : 1e-9)
      last = measures!['explainedVariance']
    }
    expect(last).toBeGreaterThan(0.5)
    learner.dispose()
  })
})
