// What a run is given that makes no sense: refused by name, before anything changes.
import { cpSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it, test } from 'vitest'
import { miniProtocol } from '../../src/mini/protocol.js'
import { parseModelConfig } from '../../src/model/config.js'
import { writeWeightFile } from '../../src/model/weight-file.js'
import { Variable } from '../../src/tensor/variable.js'
import { clearWeights, disposeWeights } from '../../src/model/weights.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { createLearner } from '../../src/train/run-config.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { tinyWeights } from '../tiny-model.js'
import { settingsOf } from './settings.js'
import { TINY_CONFIG, aQuestion, allWeights, alternatingPolicy } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'bad-inputs-'))
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
    questions: [aQuestion(1), aQuestion(2)],
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0 },
    updates: 1,
    questionsPerUpdate: 2,
    groupSize: 2,
    learningRate: 1e-3,
    ...more,
  })

let policy: LocalModel
beforeAll(async () => {
  policy = await load()
})

const withoutGold = { ...aQuestion(2), goldAnswers: [] }
test.each<[string, Partial<TrainOptions>, string]>([
  ['no question', { questions: [] }, 'train: questions must have a length of at least 1, got []'],
  [
    'a question without gold answers',
    { questions: [aQuestion(1), withoutGold] },
    'train: questions.1.goldAnswers must have a length of at least 1, got []',
  ],
  [
    'a gold answer that is empty',
    { questions: [{ ...aQuestion(1), goldAnswers: ['Lima', ''] }] },
    "train: questions.0.goldAnswers.1 must have a length of at least 1, got ''",
  ],
  ['a group of none', { groupSize: 0 }, 'train: groupSize must be at least 2, got 0'],
  ['a group of one, where they are compared', { groupSize: 1 }, 'train: groupSize must be at least 2, got 1'],
  ['no questions an update', { questionsPerUpdate: 0 }, 'train: questionsPerUpdate must be at least 1, got 0'],
  ['half an epoch', { epochs: 1.5 }, 'train: epochs must be an integer, got 1.5'],
  ['no round of rollouts', { samplingRounds: 0 }, 'train: samplingRounds must be at least 1, got 0'],
  [
    'rounds where the algorithm has none',
    { algorithm: 'ppo', samplingRounds: 2 },
    'train: there is no option samplingRounds',
  ],
  [
    'another answer to a collapse',
    { onCollapse: 'stop' as never },
    "train: onCollapse must be one of 'warn', 'pause', 'rollback', got 'stop'",
  ],
])('%s', async (_, more, message) => {
  const before = await allWeights(policy)
  await expect(run(policy, more)).rejects.toThrow(message)
  expect(await allWeights(policy)).toEqual(before)
})

it('a group without trajectories changes nothing of what a batch teaches', async () => {
  const trajectories: Parameters<NonNullable<TrainOptions['onUpdate']>>[1][] = []
  await run(await load(), { learningRate: 1e-9, onUpdate: (_, played) => void trajectories.push(played) })
  const [first, second] = [trajectories[0]!.slice(0, 2), trajectories[0]!.slice(2)]
  const group = { question: first[0]!.question, trajectories: first, rewards: [1, 0] }
  const empty = { question: second[0]!.question, trajectories: [], rewards: [] }
  for (const algorithm of [
    'grpo',
    'dapo',
    'rloo',
    'reinforce++',
    'reinforce++-baseline',
    'ppo',
    'reinforce',
  ] as const) {
    const results: unknown[] = []
    for (const groups of [[group], [empty, group]]) {
      const one = await load()
      const learner = await createLearner(one, settingsOf(algorithm))
      results.push([await learner.step(groups, 1e-3), await allWeights(one)])
      learner.dispose()
    }
    expect(results[1], algorithm).toEqual(results[0])
    const learner = await createLearner(policy, settingsOf(algorithm))
    const before = await allWeights(policy)
    expect(await learner.step([empty], 1e-3)).toMatchObject({ skipped: 'no trajectory' })
    expect(await allWeights(policy)).toEqual(before)
    learner.dispose()
  }
}, 120_000)

it('a run is not gone on with by a model of another architecture, even if its weights have the same shapes', async () => {
  const saveTo = join(folder, 'architecture')
  await run(await load(), { saveTo })
  for (const [change, message] of [
    [{ num_hidden_layers: 3 }, "its layers is 2, the policy's 3"],
    [{ rope_theta: 5000 }, "its rope.theta is 10000, the policy's 5000"],
    [{ num_attention_heads: 8, num_key_value_heads: 4, head_dim: 4 }, "its heads is 4, the policy's 8"],
  ] as const) {
    const config = parseModelConfig({ ...TINY_CONFIG, ...change })
    const other = { ...(await load()), config, weights: await tinyWeights(config, 3) }
    const before = await allWeights(other)
    await expect(run(other, { saveTo, resume: true, updates: 2 })).rejects.toThrow(
      `train: the run in ${saveTo} is of another model: ${message}; resume with the model that it began with`,
    )
    expect(await allWeights(other)).toEqual(before)
    disposeWeights(other.weights)
  }
})

it('a saved critic of another vocabulary is refused by name; folder and policy are as they were', async () => {
  const saveTo = join(folder, 'critic')
  await run(await load(), { algorithm: 'ppo', saveTo })
  const other = { embed: new Variable([97, 32], 'float32', 'embed') }
  await clearWeights(other)
  rmSync(join(saveTo, 'critic.safetensors'))
  await writeWeightFile(join(saveTo, 'critic.safetensors'), other)
  disposeWeights(other)
  cpSync(saveTo, join(folder, 'copy'), { recursive: true })
  const fresh = await load()
  const before = await allWeights(fresh)
  await expect(run(fresh, { algorithm: 'ppo', saveTo, resume: true, updates: 2 })).rejects.toThrow(
    /critic\.safetensors should have '.*' of \[.*\], has (none|\[97, 32\])/,
  )
  expect(await allWeights(fresh)).toEqual(before)
  const bytes = (place: string): Buffer => readFileSync(join(place, 'policy', 'model.safetensors'))
  expect(bytes(saveTo).equals(bytes(join(folder, 'copy')))).toBe(true)
})
