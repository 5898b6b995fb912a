// A forecast leaves everything as it was, and refuses what cannot fit before anything is computed.
import { afterAll, beforeAll, describe, expect, it, test, vi } from 'vitest'
import { onProgress } from '../../src/host/progress.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { forecast, forecastWith } from '../../src/train/forecast.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { allWeights, alternatingPolicy, aQuestion, tinyPolicy, untimed } from './tiny-policy.js'

const facts: SearchEngine = {
  name: 'facts',
  search: (query) => Promise.resolve([{ title: 'Fact', text: `About ${query}.`, rank: 1 }]),
}

/** Says what the conversation so far decides, so that it says the same in another run. */
const steadyPolicy = (): Promise<LocalModel> =>
  tinyPolicy((turn, heard) => (turn === 0 && heard.includes('1') ? '<search> it</search>' : '<answer> Lima</answer>'))

/** Differs within a group, and is the same in another run. */
const bySeed = ({ seed }: Trajectory): number => seed % 7

describe('after a forecast', () => {
  const run = (policy: LocalModel): TrainOptions => ({
    algorithm: 'grpo',
    policy,
    searchEngine: facts,
    questions: [1, 2, 3, 12, 21].map(aQuestion),
    protocol: { ...miniProtocol, maxTokens: 200 },
    reward: bySeed,
    curriculum: { start: 0, end: 0.5 },
    updates: 2,
    questionsPerUpdate: 2,
    groupSize: 3,
    learningRate: 1e-3,
    weightDecay: 0.1,
  })

  it('all weights are the same, and so is the run that follows', { timeout: 120_000 }, async () => {
    const [first, second] = [await steadyPolicy(), await steadyPolicy()]
    const before = await allWeights(first)
    const said = await forecast(run(first))
    expect(await allWeights(first)).toEqual(before)

    const [records, without] = [await train(run(first)), await train(run(second))]
    expect(untimed(records)).toEqual(untimed(without))
    expect(records.every(({ skipped }) => skipped === undefined)).toBe(true)
    expect(await allWeights(first)).toEqual(await allWeights(second))

    const { memory, peakBytes, rolloutSeconds, updateSeconds, warmUpSeconds } = said
    expect(said).toMatchObject({ policy: first.name, trajectoriesPerUpdate: 6, updates: 2, fullLength: 200 })
    expect(memory.weights).toBe(4 * said.parameters)
    expect(memory.reference).toBe(memory.weights)
    expect(memory.optimizerStates).toBe(2 * memory.weights)
    expect(Object.values(memory).reduce((a: number, b: number) => a + b)).toBe(peakBytes)
    expect(said.peakBytesAtFullLength).toBeGreaterThan(peakBytes)
    expect(said.totalSeconds).toBeCloseTo(warmUpSeconds + 2 * (rolloutSeconds + updateSeconds))
    expect(said.sampledTokensPerUpdate).toBeLessThan(said.tokensPerUpdate)
    const tokens = records[0]!.tokensPerTrajectory * records[0]!.trajectories
    expect(Math.abs(Math.log(said.tokensPerUpdate / tokens))).toBeLessThan(Math.log(1.5))
    ;[first, second].forEach((policy) => policy.dispose())
  })

  it.each([false, true])(
    "all weights are the same under PPO, whose critic's memory is told; shared: %s",
    async (shared) => {
      const policy = await steadyPolicy()
      const before = await allWeights(policy)
      const { memory, peakBytes } = await forecast({ ...run(policy), algorithm: 'ppo', critic: { shared } })
      expect(await allWeights(policy)).toEqual(before)
      // Weights, gradients and two moments.
      expect(memory.critic).toBe(shared ? 0 : 4 * memory.weights)
      expect(Object.values(memory).reduce((a: number, b: number) => a + b)).toBe(peakBytes)
      policy.dispose()
    },
  )

  it('that was stopped, nothing has changed, and nothing of it stays', async () => {
    const policy = await steadyPolicy()
    const before = await allWeights(policy)
    const stop = new AbortController()
    const searchEngine: SearchEngine = {
      name: 'stops',
      search: () => {
        stop.abort(new Error('enough'))
        return new Promise(() => undefined)
      },
    }
    const stopped = { ...run(policy), questions: [aQuestion(1)] }
    await expect(forecast({ ...stopped, searchEngine, signal: stop.signal })).rejects.toThrow('enough')
    await expect(forecast({ ...stopped, signal: AbortSignal.abort(new Error('before')) })).rejects.toThrow('before')
    expect(await allWeights(policy)).toEqual(before)
    // Whoever holds the policy longer would keep this one waiting.
    expect(await train({ ...stopped, updates: 1 })).toHaveLength(1)
    policy.dispose()
  })
})

describe('a forecast', () => {
  let policy: LocalModel
  let base: TrainOptions
  beforeAll(async () => {
    policy = await alternatingPolicy()
    base = {
      algorithm: 'grpo',
      policy,
      searchEngine: facts,
      questions: [aQuestion(1), aQuestion(2)],
      protocol: miniProtocol,
      curriculum: { start: 0, end: 0 },
      updates: 3,
      questionsPerUpdate: 4,
      groupSize: 2,
    }
  })
  afterAll(() => policy.dispose())

  it('tells as a task what it does, unless told not to', async () => {
    const told = new Set<string>()
    const stop = onProgress((task) => {
      told.add(task.title)
      for (const part of task.parts) told.add(`${task.title}: ${part.title}`)
    })
    await forecast({ ...base, progress: false })
    expect([...told]).toEqual([])
    await forecast(base)
    stop()
    expect([...told]).toEqual(expect.arrayContaining(['forecast', 'forecast: rollouts', 'forecast: learning']))
  })

  it('says why where rollouts fail', async () => {
    const broken = await tinyPolicy(() => '<search> it</search>')
    const searchEngine = { name: 'broken', search: () => Promise.reject(new Error('HTTP 500')) }
    await expect(forecast({ ...base, policy: broken, searchEngine })).rejects.toThrow(/rollouts may fail.*HTTP 500/)
    broken.dispose()
  })

  it('counts failed rollouts as a run does: they learn nothing', async () => {
    const half = await tinyPolicy((_, heard) =>
      heard.includes('1') ? '<search> it</search>' : '<answer> Lima</answer>',
    )
    const searchEngine = { name: 'broken', search: () => Promise.reject(new Error('HTTP 500')) }
    const run = { ...base, policy: half, searchEngine, updates: 1, maxFailedShare: 0.9, groupSize: 3 }
    const said = await forecast(run)
    const warned = vi.spyOn(console, 'warn').mockReturnValue()
    const [record] = await train(run)
    warned.mockRestore()
    expect(record).toMatchObject({ failed: 6, trajectories: 6 })
    expect(said.searchesPerUpdate).toBe(0)
    const tokens = record!.tokensPerTrajectory * record!.trajectories
    expect(said.tokensPerUpdate / tokens).toBeGreaterThan(0.5)
    expect(said.tokensPerUpdate / tokens).toBeLessThan(1.5)
    half.dispose()
  })

  it('writes nothing and calls no `onUpdate`', async () => {
    const onUpdate = vi.fn()
    await forecast({ ...base, saveTo: '/nowhere/that/can/be/written', onUpdate })
    expect(onUpdate).not.toHaveBeenCalled()
  })

  test.each([
    [{ updates: 0 }, 'train: updates must be at least 1, got 0'],
    [{ policy: {} }, 'train: policy must be a model of loadModel'],
    [{ questions: [] }, 'train: questions must have a length'],
    [{ learningrate: 1 }, 'there is no option learningrate; did you mean learningRate?'],
    [{ curriculum: { start: NaN, end: 0 } }, 'train: curriculum must be'],
  ])('refuses %o as train does', async (change, message) => {
    await expect(forecast({ ...base, ...change } as TrainOptions)).rejects.toThrow(message)
  })

  it('refuses before anything is played what cannot fit', async () => {
    const mute = await tinyPolicy(() => expect.fail('a rollout was begun'))
    const tried = forecastWith({ ...base, policy: mute }, () => 1000)
    await expect(tried).rejects.toThrow(
      /this run cannot fit: by its prompts alone, it needs .* and 0\.0 MB are free\. No option/,
    )
    await expect(tried).rejects.toThrow(/optimizer states +\d/)
    mute.dispose()
  })
})
