// Token views against what is known otherwise: the sampler's numbers, the algorithms' formulas, a saved run's critic.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { groupAdvantages } from '../../src/algorithm/group-advantage.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { downloadWeight, setWeight } from '../../src/model/weights.js'
import { rollOutMany } from '../../src/rollout/roll-out.js'
import type { TokenView, ViewedToken } from '../../src/schema/token-view.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { tokenView } from '../../src/train/token-view.js'
import { train } from '../../src/train/train.js'
import { aQuestion, alternatingPolicy } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'token-view-'))
const open: LocalModel[] = []
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

const own = ({ tokens }: TokenView): ViewedToken[] => tokens.filter(({ mask }) => mask === 1)
const keep = async (making: Promise<LocalModel>): Promise<LocalModel> => {
  const policy = await making
  open.push(policy)
  return policy
}

describe('of a real policy', async () => {
  const policy = await keep(loadModel(miniCheckpoint('policy'), { slots: 4 }))
  const reference = await keep(loadModel(miniCheckpoint('policy'), { slots: 4 }))
  const searchEngine = await createBm25Engine(await miniDocuments('validation'))
  const questions = await miniQuestions('mini-nq', 'train')
  const items = [0, 0, 0, 1, 1, 1].map((i, seed) => ({ question: questions[i]!, seed }))
  const batch = await rollOutMany(policy, items, { searchEngine, protocol: miniProtocol })
  const trajectory = batch[1]!

  it('sampler and trainer agree on every token, and the texts are what was played', async () => {
    const view = await tokenView(trajectory, { policy, reference })
    expect(view.tokens.map(({ id }) => id)).toEqual(trajectory.ids)
    expect(view.tokens.map(({ text }) => text).join('')).toBe(policy.tokenizer.decode(trajectory.ids))
    expect(own(view)).toHaveLength(trajectory.lossMask.filter((mask) => mask === 1).length)
    for (const token of own(view)) {
      expect(token.source).toBe('policy')
      expect(token.samplerLogprob).toBe(trajectory.logprobs[token.place])
      expect(token.ratio).toBeCloseTo(1, 3)
      // The reference is the policy.
      expect(token.kl).toBe(0)
      expect(token).not.toHaveProperty('advantage')
      expect(token).not.toHaveProperty('value')
    }
    for (const token of view.tokens.filter(({ mask }) => mask === 0)) {
      expect(token).not.toHaveProperty('ratio')
      expect(token.source).not.toBe('policy')
    }
    expect(view).not.toHaveProperty('reward')
  })

  it('a policy that has moved has other ratios and a divergence, and both fit together', async () => {
    const moved = await keep(loadModel(miniCheckpoint('policy'), { slots: 4 }))
    const [variable] = Object.values(moved.weights)
    await setWeight(
      variable!,
      (await downloadWeight(variable!)).map((value) => value * 1.02),
    )
    const view = await tokenView(trajectory, { policy: moved, reference, klEstimator: 'k1' })
    expect(own(view).some(({ ratio }) => Math.abs(ratio! - 1) > 1e-3)).toBe(true)
    // Sampler and reference have the same weights.
    for (const { kl, ratio } of own(view)) expect(kl).toBeCloseTo(Math.log(ratio!), 3)
    expect(view.klEstimator).toBe('k1')
  })

  it("GRPO's advantages are those of its group alone, of a copy out of a file as well", async () => {
    const reward = (one: Trajectory): number => one.seed ** 2
    const expected = groupAdvantages([[0, 1, 4]])[0]!
    for (const place of [0, 1, 2]) {
      const copy = JSON.parse(JSON.stringify(batch[place])) as Trajectory
      const view = await tokenView(copy, { policy, batch, reward })
      expect(view).toMatchObject({ algorithm: 'grpo', reward: place ** 2 })
      for (const { advantage } of own(view)) expect(advantage).toBeCloseTo(expected[place]!, 6)
    }
  })

  it('what failed, or is in a group that DAPO leaves out, has no advantage', async () => {
    const failed: Trajectory = { ...trajectory, stopReason: 'failed', failure: { boundary: 'search', message: 'no' } }
    const view = await tokenView(failed, { policy, batch: [batch[0]!, failed, batch[2]!] })
    expect(own(view).every((token) => token.advantage === undefined && token.ratio !== undefined)).toBe(true)
    const even = await tokenView(trajectory, { policy, batch, algorithm: 'dapo', reward: () => 1 })
    expect(even.reward).toBe(1)
    expect(own(even).every((token) => token.advantage === undefined)).toBe(true)
  })

  it('a divergence in the reward is in the advantages of each token from there on', async () => {
    const moved = open[2]!
    const options = { policy, reference: moved, batch, algorithm: 'reinforce++', klCoef: 0.5 } as const
    const [plain, shaped] = [
      await tokenView(trajectory, { ...options, klCoef: 0 }),
      await tokenView(trajectory, options),
    ]
    const distinct = (view: TokenView): number => new Set(own(view).map(({ advantage }) => advantage!.toFixed(9))).size
    expect(distinct(plain)).toBe(1)
    expect(distinct(shaped)).toBeGreaterThan(3)
  })

  it('says what does not fit', async () => {
    const refused = (given: unknown, options: object): Promise<unknown> =>
      tokenView(given as Trajectory, { policy, ...options })
    await expect(refused({}, {})).rejects.toThrow('tokenView: trajectory must be a trajectory of rollOut')
    await expect(refused(trajectory, { algoritm: 'ppo' })).rejects.toThrow('tokenView: there is no')
    await expect(refused(trajectory, { batch: [batch[0]] })).rejects.toThrow('batch must hold the trajectory')
    await expect(refused(trajectory, { batch, algorithm: 'ppo' })).rejects.toThrow(
      "run must be given for PPO's advantages",
    )
    await expect(refused(trajectory, { run: join(folder, 'none') })).rejects.toThrow(
      'tokenView: run must be the folder',
    )
    const foreign = { ...trajectory, ids: trajectory.ids.map(() => 70_000) }
    await expect(refused(foreign, {})).rejects.toThrow("ids must be of the policy's vocabulary of")
    const other = { ...reference, tokenizer: { ...reference.tokenizer, vocabSize: 7 } }
    await expect(refused(trajectory, { reference: other })).rejects.toThrow(
      "reference must have the policy's vocabulary of",
    )
  })
})

describe.each([false, true])('of a saved run of PPO (critic on the policy: %s)', (shared) => {
  it('values, returns and advantages are those of its critic over the whole batch', async () => {
    const policy = await keep(alternatingPolicy())
    const run = join(folder, `ppo-${shared}`)
    let batch: readonly Trajectory[] = []
    await train({
      ...{ algorithm: 'ppo', policy, curriculum: 0, updates: 2, questionsPerUpdate: 2, groupSize: 2 },
      ...{ learningRate: 1e-3, warmupRatio: 0, klCoef: 0, critic: { shared, learningRate: 1e-2, warmupRatio: 0 } },
      searchEngine: { name: 'none', search: () => Promise.resolve([]) },
      questions: [aQuestion(1), aQuestion(2)],
      ...{ protocol: miniProtocol, saveTo: run, progress: false, reward: { em: 1 } },
      onUpdate: (_, trajectories) => void (batch = trajectories),
    })
    const views: TokenView[] = []
    for (const trajectory of batch) views.push(await tokenView(trajectory, { policy, run, batch }))
    expect(views.map(({ algorithm }) => algorithm)).toEqual(['ppo', 'ppo', 'ppo', 'ppo'])
    // The reward of the run's manifest.
    expect(views.map(({ reward }) => reward).sort()).toEqual([0, 0, 1, 1])
    const tokens = views.flatMap((view) => own(view).map((token) => ({ ...token, reward: view.reward! })))
    const differences = tokens.map(({ value, reward }) => reward - value!)
    const mean = differences.reduce((a, b) => a + b, 0) / tokens.length
    const variance = differences.reduce((sum, value) => sum + (value - mean) ** 2, 0) / (tokens.length - 1)
    expect(new Set(tokens.map(({ value }) => value)).size).toBeGreaterThan(2)
    tokens.forEach((token, i) => {
      // Without a discount the return of every token is the reward, and the advantage is whitened over the batch.
      expect(token.return).toBeCloseTo(token.reward, 5)
      expect(token.advantage).toBeCloseTo((differences[i]! - mean) / Math.sqrt(variance), 3)
      expect(token.kl).toBeTypeOf('number')
    })
    // Its last save has learned since it began.
    expect(tokens.some(({ kl }) => Math.abs(kl!) > 1e-6)).toBe(true)
  })
})
