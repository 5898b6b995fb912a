// Training of an adapter: it alone changes, and a stopped run goes on with it.
import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import type { AdapterOptions } from '../../src/model/adapter.js'
import { openSafetensors } from '../../src/model/safetensors.js'
import { disposeWeights, downloadWeight, setWeight, zeroWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { createGrpo } from '../../src/train/grpo.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import { compileLoss, modelWeights } from '../../src/train/loss-function.js'
import type { DropoutInputs } from '../../src/train/loss-function.js'
import { toMicrobatches } from '../../src/train/microbatch.js'
import type { TargetInputs } from '../../src/train/microbatch.js'
import { createReference } from '../../src/train/reference.js'
import { trainSupervised } from '../../src/train/supervised.js'
import type { SupervisedRecord } from '../../src/train/supervised.js'
import { createLearner } from '../../src/train/run-config.js'
import { train } from '../../src/train/train.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { checkpointFolder, temporaryFolder } from '../model/fixtures.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'
import { settingsOf } from './settings.js'
import { aQuestion, untimed } from './tiny-policy.js'

const base = checkpointFolder('qwen2')
const open: LocalModel[] = []
afterAll(() => open.forEach((policy) => policy.dispose()))

/** Real weights and a real adapter, and a script in place of what they would say: right and wrong by turns. */
async function adapted(adapter?: AdapterOptions | string): Promise<LocalModel> {
  const model = await loadModel(base, adapter === undefined ? {} : { adapter })
  open.push(model)
  let message = 0
  const say = (): string => (message++ % 2 ? '<answer> Rome</answer>' : '<answer> Lima</answer>')
  return { ...model, ...scriptedPolicy(say, { contextLength: 700 }) }
}

async function values(weights: Weights): Promise<Record<string, Float32Array>> {
  const entries = Object.entries(weights).map(async ([key, variable]) => [key, await downloadWeight(variable)] as const)
  return Object.fromEntries(await Promise.all(entries))
}

const ids = [5, 40, 17, 3, 90, 41, 7, 12, 60]
const example = { ids, tokenWeights: ids.map(() => 1) }

async function supervised(policy: LocalModel, steps = 3): Promise<SupervisedRecord[]> {
  const records: SupervisedRecord[] = []
  const onStep = (record: SupervisedRecord): void => void records.push(record)
  await trainSupervised({ policy, steps, learningRate: 0.01, batch: () => [example], bfloat16: false, onStep })
  return records
}

const run = (policy: LocalModel, more: Partial<TrainOptions> = {}): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine: { name: 'none', search: () => Promise.resolve([]) },
    questions: [aQuestion(1), aQuestion(2), aQuestion(3)],
    curriculum: { start: 0.3, end: 0.3 },
    updates: 4,
    questionsPerUpdate: 2,
    groupSize: 2,
    learningRate: 1e-2,
    klCoef: 0.1,
    progress: false,
    ...more,
  })

describe('supervised training of an adapter', () => {
  it('changes it alone, and lowers the loss', async () => {
    const policy = await adapted({ rank: 4 })
    const [weights, adapter] = [await values(policy.weights), await values(policy.adapter!.weights)]
    const records = await supervised(policy, 10)
    expect(records.at(-1)!.loss).toBeLessThan(records[0]!.loss * 0.9)
    expect(await values(policy.weights)).toEqual(weights)
    for (const [key, after] of Object.entries(await values(policy.adapter!.weights)))
      expect(after, key).not.toEqual(adapter[key])
  })

  it('begins as the model itself', async () => {
    const [plain] = await supervised(await adapted(), 1)
    const [withAdapter] = await supervised(await adapted({ rank: 4 }), 1)
    expect(withAdapter!.loss).toBe(plain!.loss)
  })

  it('drops other inputs in each step, and the same ones again for a seed', async () => {
    const trained = async (dropout: number, seed: number): Promise<number[]> => {
      const policy = await adapted({ rank: 4, dropout, seed: 1 })
      const records = await supervised({ ...policy, adapter: { ...policy.adapter!, seed } })
      return records.map(({ loss }) => loss)
    }
    const [first, again, other, none] = [
      await trained(0.3, 1),
      await trained(0.3, 1),
      await trained(0.3, 2),
      await trained(0, 1),
    ]
    expect(again).toEqual(first)
    expect(other).not.toEqual(first)
    expect(none).not.toEqual(first)
    // B is zero at first.
    expect(none[0]).toBe(first[0])
    const policy = await adapted({ rank: 4, dropout: 0.3 })
    for (const [key, variable] of Object.entries(policy.adapter!.weights))
      if (key.endsWith('loraB')) await setWeight(variable, new Float32Array(variable.size).fill(0.1))
    const losses: number[] = []
    await trainSupervised({
      policy,
      steps: 3,
      learningRate: 0,
      batch: () => [example],
      bfloat16: false,
      onStep: ({ loss }) => void losses.push(loss),
    })
    expect(new Set(losses).size).toBe(3)
  })
})

it('the gradient of a step with dropout is that of what the same seed lets through', async () => {
  const policy = await adapted({ rank: 4, dropout: 0.5 })
  const model = modelWeights(policy)
  for (const [key, variable] of Object.entries(model.trainable))
    if (key.endsWith('loraB')) await setWeight(variable, new Float32Array(variable.size).fill(0.05))
  const gradients = await zeroWeights(model.trainable)
  type Inputs = TargetInputs & DropoutInputs
  const compiled = compileLoss<Inputs, Record<string, never>>(
    'loss',
    policy,
    { temperature: 1, bfloat16: false },
    ({ logprobs }) => ({ loss: logprobs.mean().neg(), metrics: {} }),
  )
  const [batch] = toMicrobatches([{ ids, trained: ids.slice(1).map((_, i) => i + 1) }], 4096)
  const { ids: padded, logitRows, targets } = batch!
  const inputs = { ids: padded, logitRows, targets, dropoutSeed: int32([7], []) }
  const lossNow = async (): Promise<number> => (await compiled(inputs, { ...model, gradients })).loss.data[0]!
  await lossNow()
  const exact = await values(gradients)
  for (const key of ['layers.0.q.loraA', 'layers.0.down.loraB', 'layers.1.v.loraA', 'layers.1.gate.loraB']) {
    const variable = model.trainable[key]!
    const before = await downloadWeight(variable)
    // The place with the largest gradient: a difference there is far above rounding.
    const place = exact[key]!.reduce((best, g, i, all) => (Math.abs(g) > Math.abs(all[best]!) ? i : best), 0)
    const at = async (change: number): Promise<number> => {
      const moved = before.slice()
      moved[place]! += change
      await setWeight(variable, moved)
      return lossNow()
    }
    const slope = ((await at(0.01)) - (await at(-0.01))) / 0.02
    await setWeight(variable, before)
    expect(Math.abs(exact[key]![place]!), key).toBeGreaterThan(1e-3)
    expect(slope / exact[key]![place]!, key).toBeCloseTo(1, 1)
  }
  compiled.dispose()
  disposeWeights(gradients)
})

describe('reinforcement learning of an adapter', () => {
  const folder = temporaryFolder()

  it('changes it alone; the reference is the model below, without a copy', async () => {
    const policy = await adapted({ rank: 4, dropout: 0.5 })
    const grpo = await createGrpo(policy, settingsOf('grpo', { klCoef: 0.1 }))
    expect(Object.keys(grpo.state().weights)).toEqual(['optimizer'])
    const moments = Object.keys(grpo.state().weights['optimizer']!)
    expect(moments).toHaveLength(2 * Object.keys(policy.adapter!.weights).length)
    expect(moments.every((key) => /\.lora[AB]$/.test(key))).toBe(true)
    grpo.dispose()
    const weights = await values(policy.weights)
    const records = await run(policy)
    expect(await values(policy.weights)).toEqual(weights)
    expect(records[0]!.kl).toBeCloseTo(0, 6)
    expect(records.at(-1)!.kl).toBeGreaterThan(1e-4)
  })

  it.each([false, true])(
    'under PPO, critic shared: %s, changes it alone, and goes on from its folder',
    async (shared) => {
      const saveTo = join(folder, `ppo ${shared}`)
      const more = { algorithm: 'ppo', critic: { shared }, saveTo } as const
      const policy = await adapted({ rank: 4 })
      const weights = await values(policy.weights)
      const expected = await run(policy, { ...more, saveTo: join(folder, `straight ppo ${shared}`) })
      expect(await values(policy.weights)).toEqual(weights)
      expect(expected.at(-1)!.kl).not.toBe(0)
      const half = await adapted({ rank: 4 })
      const stop = new AbortController()
      const onUpdate = ({ update }: UpdateRecord): undefined => void (update === 2 && stop.abort())
      await expect(run(half, { ...more, signal: stop.signal, onUpdate })).rejects.toThrow('Stopped in update')
      const fresh = await adapted({ rank: 4 })
      expect(untimed(await run(fresh, { ...more, resume: true }))).toEqual(untimed(expected))
      expect(await values(fresh.adapter!.weights)).toEqual(await values(policy.adapter!.weights))
      const files = readdirSync(saveTo).filter((file) => file.endsWith('.safetensors'))
      expect(files.sort()).toEqual([
        ...(shared ? [] : ['critic.safetensors', 'criticOptimizer.safetensors']),
        'optimizer.safetensors',
        ...(shared ? ['valueHead.safetensors'] : []),
      ])
    },
  )

  it("PPO's own critic is a copy of it alone, with a value head", async () => {
    const policy = await adapted({ rank: 4 })
    const ppo = await createLearner(policy, settingsOf('ppo'))
    const { critic } = ppo.state().weights
    expect(Object.keys(critic!)).toEqual([...Object.keys(policy.adapter!.weights), 'valueHead'])
    ppo.dispose()
  })

  it('goes on from its folder as if it had never stopped, in another policy or the same', async () => {
    const straight = await adapted({ rank: 4 })
    const expected = await run(straight)
    const saveTo = join(folder, 'run')
    const stopped = await adapted({ rank: 4 })
    const stop = new AbortController()
    const onUpdate = ({ update }: UpdateRecord): undefined => void (update === 2 && stop.abort())
    await expect(run(stopped, { saveTo, signal: stop.signal, onUpdate })).rejects.toThrow('Stopped in update')
    // After 2 of 4 updates, in a policy that begins anew.
    const fresh = await adapted({ rank: 4 })
    const saved = await run(fresh, { saveTo, resume: true, updates: 4 })
    expect(untimed(saved)).toEqual(untimed(expected))
    expect(await values(fresh.adapter!.weights)).toEqual(await values(straight.adapter!.weights))
    const files = readdirSync(saveTo, { recursive: true, encoding: 'utf8' })
    expect(files.filter((file) => file.endsWith('.safetensors')).sort()).toEqual([
      'optimizer.safetensors',
      'policy/adapter_model.safetensors',
      'previous/optimizer.safetensors',
      'previous/policy/adapter_model.safetensors',
    ])
    // What has learned already is set back to what was saved.
    const longer = await run(stopped, { saveTo, resume: true, updates: 6 })
    const all = await run(await adapted({ rank: 4 }), { updates: 6 })
    expect(untimed(longer)).toEqual(untimed(all))
  })

  it('of a trained one measures divergence from it, and keeps a copy of the adapter alone', async () => {
    const first = await adapted({ rank: 4 })
    await supervised(first)
    const start = join(folder, 'start')
    await first.save(start)
    const policy = await adapted(start)
    const reference = await createReference(policy, 'float32')
    expect(reference.isBase).toBe(false)
    expect(await values(reference.copy!)).toEqual(await values(policy.adapter!.weights))
    reference.dispose()
    const expected = await run(policy)
    expect(expected[0]!.kl).toBeCloseTo(0, 6)
    const saveTo = join(folder, 'second')
    await run(await adapted(start), { saveTo, updates: 2 })
    const source = await openSafetensors(join(saveTo, 'reference.safetensors'))
    expect([...source.shapes.keys()]).toEqual(Object.keys(policy.adapter!.weights))
    await source.close()
    // Whatever the adapter holds now: the run knows where it began.
    const resumed = await run(await adapted({ rank: 4 }), { saveTo, resume: true, updates: 4 })
    expect(untimed(resumed)).toEqual(untimed(expected))
  })

  it('refuses to go on with another adapter, or none', async () => {
    const saveTo = join(folder, 'run')
    const again = (adapter?: AdapterOptions): Promise<unknown> =>
      adapted(adapter).then((policy) => run(policy, { saveTo, resume: true, updates: 8 }))
    await expect(again({ rank: 4, alpha: 32 })).rejects.toThrow(
      `a resumed run keeps its settings: adapter.alpha is 8 in ${saveTo}, got 32`,
    )
    await expect(again({ rank: 2 })).rejects.toThrow('adapter.rank is 4')
    await expect(again()).rejects.toThrow('is an adapter, and the policy has none; resume with the model')
    const whole = join(folder, 'whole')
    await run(await adapted(), { saveTo: whole, updates: 1 })
    await expect(run(await adapted({}), { saveTo: whole, resume: true })).rejects.toThrow(
      'is a whole model, and the policy has an adapter',
    )
  })

  it('the saved policy of a run loads by its folder, and is small', async () => {
    const saved = join(folder, 'run', 'policy')
    const policy = await loadModel(saved)
    open.push(policy)
    expect(policy.adapter).toMatchObject({ rank: 4, alpha: 8 })
    expect(existsSync(join(saved, 'model.safetensors'))).toBe(false)
    const bytes = statSync(join(saved, 'adapter_model.safetensors')).size
    expect(bytes).toBeLessThan(
      4 * Object.values(policy.adapter!.weights).reduce((sum, { size }) => sum + size, 0) + 5000,
    )
  })
})
