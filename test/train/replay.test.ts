// A step that is not finite ends the run, changes nothing, and leaves its batch for replay.
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, test, vi } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { downloadWeight, setWeight } from '../../src/model/weights.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { replay } from '../../src/train/replay.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { aQuestion, allWeights, alternatingPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'replay-'))
const open: LocalModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

const load = async (): Promise<LocalModel> => {
  const policy = await alternatingPolicy()
  open.push(policy)
  return policy
}

/** A policy that gives a log-probability of its own for the third token of a rollout. */
function withLogprob(policy: LocalModel, when: () => boolean, value: number): LocalModel {
  return {
    ...policy,
    async start(...args) {
      const conversation = await policy.start(...args)
      return {
        ...conversation,
        end: () => conversation.end(),
        generate: async (...more) => {
          const generation = await conversation.generate(...more)
          return { ...generation, logprobs: generation.logprobs.map((one, i) => (i === 2 && when() ? value : one)) }
        },
      }
    },
  }
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

describe.each<[string, Partial<TrainOptions>]>([
  ['GRPO', {}],
  ['GRPO, several steps a batch', { epochs: 2, minibatchTrajectories: 2 }],
  ['PPO, several steps a batch', { algorithm: 'ppo', epochs: 2, minibatchTrajectories: 2 }],
  ['DAPO', { algorithm: 'dapo' }],
])('a log-probability that is not finite, under %s', (name, more) => {
  it('ends the run; weights and Adam are as before the batch; the replay names trajectory and token', async () => {
    const saveTo = join(folder, name)
    let rollouts = 0
    let before: Float32Array[] = []
    const policy = await load()
    // Of the fourth rollout of the second update, so that an earlier minibatch of it may already have made a step.
    const broken = withLogprob(policy, () => ++rollouts === 8, NaN)
    const ended = run(broken, {
      ...more,
      saveTo,
      onUpdate: async () => {
        before = await allWeights(policy)
        return undefined
      },
    })
    await expect(ended).rejects.toThrow(/must be finite, got NaN.*zs\.replay/)
    expect(await allWeights(policy)).toEqual(before)
    const optimizer = readFileSync(join(saveTo, 'optimizer.safetensors'))
    const good = join(folder, `${name}, one update`)
    const one = await load()
    await run(one, {
      ...more,
      saveTo: good,
      updates: 4,
      onUpdate: () => {
        throw new Error('enough')
      },
    }).catch(() => undefined)
    expect(optimizer.equals(readFileSync(join(good, 'optimizer.safetensors')))).toBe(true)

    const copy = join(folder, `${name}, copied`)
    cpSync(join(saveTo, 'replay'), copy, { recursive: true })
    const replayed = await replay(copy, { policy: await load() })
    expect(replayed).toMatchObject({ update: 2, error: expect.stringContaining('finite') as string })
    expect(replayed.firstFault).toMatchObject({ trajectory: 3, value: 'oldLogprobs', token: 'n' })
    const failing = replayed.trajectories.filter(({ loss }) => !Number.isFinite(loss))
    expect(failing.map(({ trajectory }) => trajectory)).toContain(3)

    // The run itself is whole: what failed once may go well.
    const records = await run(await load(), { ...more, saveTo, resume: true })
    const straight = await run(await load(), more)
    expect(untimed(records)).toEqual(untimed(straight))
    expect(existsSync(join(saveTo, 'replay', 'step.json'))).toBe(true)
  }, 120_000)
})

test('a weight that is not finite, in the first update of a real policy: the run is kept, and its own model is loaded', async () => {
  vi.spyOn(console, 'warn').mockReturnValue()
  const saveTo = join(folder, 'weight')
  const policy = await loadModel(miniCheckpoint('policy'), { slots: 8 })
  open.push(policy)
  const key = Object.keys(policy.weights).find(
    (name) => name.includes('layers.1') && policy.weights[name]!.shape.length === 2,
  )!
  const variable = policy.weights[key]!
  let done = false
  const ended = train({
    algorithm: 'grpo',
    policy,
    searchEngine: await createBm25Engine(await miniDocuments('validation')),
    questions: await miniQuestions('mini-nq', 'train'),
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0 },
    updates: 2,
    questionsPerUpdate: 2,
    groupSize: 2,
    saveTo,
    // After the rollouts, before the step.
    reward: async (trajectory) => {
      if (!done) {
        done = true
        const values = await downloadWeight(variable)
        values[5] = Infinity
        await setWeight(variable, values)
      }
      return trajectory.seed % 7
    },
  })
  await expect(ended).rejects.toThrow(/policy update: the loss must be finite, got NaN/)
  const { error, trajectories, firstFault, update } = await replay(saveTo)
  expect([update, error]).toEqual([1, expect.stringContaining('finite')])
  expect(trajectories).toHaveLength(4)
  expect(trajectories.every(({ loss, gradNorm }) => Number.isNaN(loss) && Number.isNaN(gradNorm))).toBe(true)
  expect(firstFault).toMatchObject({ trajectory: 0, value: 'logprobs' })
}, 120_000)

test('with a full disk, both faults are said, and weights and folder are as before the batch', async () => {
  const saveTo = join(folder, 'full')
  const policy = await load()
  let rollouts = 0
  let before: Float32Array[] = []
  const full = {
    ...withLogprob(policy, () => ++rollouts === 8, NaN),
    save: (...args: Parameters<LocalModel['save']>) =>
      rollouts < 8
        ? policy.save(...args)
        : Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })),
  }
  const ended = run(full, {
    saveTo,
    saveEvery: { updates: 1 },
    onUpdate: async () => {
      before = await allWeights(policy)
      return undefined
    },
  })
  await expect(ended).rejects.toThrow(
    /ended by an error \(policy update: the loss must be finite(?!.*zs\.replay).*no space left on the disk.*has the run as it was after update 1/,
  )
  expect(await allWeights(policy)).toEqual(before)
  expect(readFileSync(join(saveTo, 'updates.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1)
  expect(existsSync(join(saveTo, 'replay'))).toBe(false)
})

test('a folder without a batch is refused, with the remedy', async () => {
  await expect(replay(folder)).rejects.toThrow(
    `replay: ${folder} must hold a batch that ended a run (replay/step.json), and holds none`,
  )
})
