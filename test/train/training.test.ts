import { beforeEach, describe, expect, it } from 'vitest'
import { hiddenStates, unembed } from '../../src/model/forward.js'
import { cloneWeights, disposeWeights, downloadWeight, readWeights, setWeight } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { targetLogprobs } from '../target-logprobs.js'
import { createGrpo } from '../../src/train/grpo.js'
import { storedBytes } from '../../src/tensor/variable.js'
import type { Group } from '../../src/train/learner.js'
import { createOptimizer } from '../../src/train/optimizer.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'
import { settingsOf } from './settings.js'

let weights: Weights
beforeEach(async () => {
  weights = await tinyWeights(tinyConfig, 3)
})

const logprobsOf = compile('test logprobs', (i: Traced<{ ids: HostTensor; next: HostTensor }>, state: Weights) => {
  const values = readWeights(state)
  const hidden = hiddenStates(tinyConfig, values, i.ids).reshape([-1, tinyConfig.hiddenSize])
  return { logprobs: targetLogprobs(unembed(tinyConfig, values, hidden), i.next) }
})

/** Log-probability of each token given those before it; 0 for the first. */
async function logprobs(ids: readonly number[]): Promise<number[]> {
  const result = await logprobsOf({ ids: int32(ids, [1, ids.length]), next: int32([...ids.slice(1), 0]) }, weights)
  return [0, ...[...result.logprobs.data].slice(0, -1)]
}

const policy = (): LocalModel =>
  ({ name: 'tiny', config: tinyConfig, weights, tokenizer: letterTokenizer }) as LocalModel

const OPTIONS = settingsOf('grpo', { microbatchTokens: 128 })

async function trajectory(text: string, promptLength: number): Promise<Trajectory> {
  const ids = letterTokenizer.encode(text)
  const own = await logprobs(ids)
  return {
    question: { id: 'q', dataset: 'd', question: '', goldAnswers: [''] },
    turns: [],
    ids,
    lossMask: ids.map((_, i) => (i >= promptLength ? 1 : 0)),
    logprobs: own.map((logprob, i) => (i >= promptLength ? logprob : 0)),
    promptLength,
    answer: null,
    stopReason: 'answer',
    searches: 0,
    seed: 0,
  }
}

const group = (trajectories: Trajectory[], rewards: number[]): Group => ({
  question: trajectories[0]!.question,
  trajectories,
  rewards,
})

describe('supervised fine-tuning', () => {
  it('learns a text by heart and leaves tokens of weight 0 alone', async () => {
    const ids = letterTokenizer.encode('the answer is forty-two, as everybody knows')
    const tokenWeights = ids.map((_, i) => (i < 14 ? 0 : 1))
    const losses: number[] = []
    await trainSupervised({
      policy: policy(),
      steps: 60,
      batch: () => [{ ids, tokenWeights }],
      learningRate: () => 1e-2,
      onStep: ({ loss }) => void losses.push(loss),
    })
    expect(losses[losses.length - 1]!).toBeLessThan(0.1 * losses[0]!)
  })

  it('begins with the weighted mean of the negative log-likelihood', async () => {
    const ids = letterTokenizer.encode('two halves')
    const own = await logprobs(ids)
    const tokenWeights = ids.map((_, i) => (i % 2 ? 1 : 0.5))
    const total = tokenWeights.slice(1).reduce((a, b) => a + b, 0)
    const expected = -ids.reduce((sum, _, i) => (i === 0 ? 0 : sum + tokenWeights[i]! * own[i]!), 0) / total
    await trainSupervised({
      policy: policy(),
      steps: 1,
      bfloat16: false,
      batch: () => [{ ids, tokenWeights }],
      learningRate: () => 0,
      onStep: ({ loss }) => expect(loss).toBeCloseTo(expected, 4),
    })
  })

  it('stops at a loss that is not finite, naming the step, with the weights as they were', async () => {
    const broken = await downloadWeight(weights['finalNorm']!)
    await setWeight(weights['finalNorm']!, broken.fill(Number.NaN))
    const before = await downloadWeight(weights['embed']!)
    const ids = letterTokenizer.encode('nothing')
    const run = trainSupervised({
      policy: policy(),
      steps: 1,
      batch: () => [{ ids, tokenWeights: ids.map(() => 1) }],
      learningRate: () => 1e-3,
    })
    await expect(run).rejects.toThrow('step 0: the loss must be finite, got NaN')
    expect(await downloadWeight(weights['embed']!)).toEqual(before)
  })
})

describe('AdamW', () => {
  it('takes the first step by hand: every weight moves by the learning rate, decay added for matrices', async () => {
    const optimizer = await createOptimizer(weights, { weightDecay: 0.1, maxGradNorm: 1e9 })
    const embed = weights['embed']!
    const before = await downloadWeight(embed)
    await setWeight(optimizer.gradients['embed']!, new Float32Array(embed.size).fill(2))
    const norm = await optimizer.step(0.01)
    expect(norm).toBeCloseTo(2 * Math.sqrt(embed.size), 1)
    const after = await downloadWeight(embed)
    // m̂ / (√v̂ + ε) = 2 / (2 + 1e-8) = 1 in the first step.
    before.forEach((value, i) => expect(after[i]).toBeCloseTo(value - 0.01 * (1 + 0.1 * value), 5))
    expect(await downloadWeight(optimizer.gradients['embed']!)).toEqual(new Float32Array(embed.size))
    optimizer.dispose()
  })
})

describe('GRPO', () => {
  it('makes good trajectories likelier and bad ones less likely; masked tokens carry no loss', async () => {
    const grpo = await createGrpo(policy(), OPTIONS)
    const batch = [await trajectory('2+2=four', 4), await trajectory('2+2=fish', 4)]
    const sum = (t: Trajectory, own: number[]): number => own.reduce((a, b, i) => a + (t.lossMask[i] ? b : 0), 0)
    const before = await Promise.all(batch.map(async (t) => sum(t, await logprobs(t.ids))))
    const step = await grpo.step([group(batch, [1, 0])], 1e-3)
    // At the first step the ratio is 1 and the reference is the policy: the loss is minus the mean advantage.
    expect(step.loss).toBeCloseTo(0, 4)
    expect(step.kl).toBeCloseTo(0, 5)
    expect(step.clipFraction).toBe(0)
    const after = await Promise.all(batch.map(async (t) => sum(t, await logprobs(t.ids))))
    expect(after[0]! - before[0]!).toBeGreaterThan(after[1]! - before[1]!)
    grpo.dispose()
  })

  it('says how far the sampler’s log-probabilities are from its own, also in bfloat16', async () => {
    const batch = [await trajectory('2+2=four', 4), await trajectory('2+2=fish and chips', 4)]
    const steps = []
    for (const bfloat16 of [false, true]) {
      const grpo = await createGrpo(policy(), { ...OPTIONS, bfloat16 })
      steps.push(await grpo.step([group(batch, [1, 0])], 0))
      grpo.dispose()
    }
    const [exact, rounded] = steps
    expect(exact!.samplingLogprobDifferenceMax).toBeLessThan(1e-4)
    expect(rounded!.samplingLogprobDifferenceMax).toBeGreaterThan(1e-4)
    expect(rounded!.samplingLogprobDifferenceMax).toBeLessThan(0.2)
    expect(rounded!.samplingLogprobDifferenceMean).toBeLessThan(rounded!.samplingLogprobDifferenceMax!)
    // A token that the sampler reported wrongly stands out.
    batch[0]!.logprobs[5]! += 3
    const grpo = await createGrpo(policy(), OPTIONS)
    const wrong = await grpo.step([group(batch, [1, 0])], 0)
    expect(wrong.samplingLogprobDifferenceMax).toBeCloseTo(3, 3)
    expect(wrong.samplingLogprobDifferenceMean).toBeCloseTo(3 / (4 + 14), 3)
    grpo.dispose()
  })

  it('keeps its reference in half of the memory where it is bfloat16, and measures nearly the same divergence', async () => {
    const batch = [await trajectory('2+2=four', 4), await trajectory('2+2=fish', 4)]
    const start = await cloneWeights(weights)
    const found = []
    for (const reference of ['float32', 'bfloat16'] as const) {
      for (const [key, variable] of Object.entries(weights))
        await setWeight(variable, await downloadWeight(start[key]!))
      const grpo = await createGrpo(policy(), { ...OPTIONS, reference })
      const kept = grpo.state().weights['reference']!
      const bytes = Object.values(kept).reduce((sum, { dtype, size }) => sum + storedBytes[dtype] * size, 0)
      for (let step = 0; step < 5; step++) await grpo.step([group(batch, [1, 0])], 1e-2)
      const { kl } = await grpo.step([group(batch, [1, 0])], 0)
      found.push({ bytes, kl })
      grpo.dispose()
    }
    const [exact, rounded] = found
    expect(rounded!.bytes).toBe(exact!.bytes / 2)
    expect(exact!.kl).toBeGreaterThan(0.01)
    expect(rounded!.kl / exact!.kl).toBeCloseTo(1, 1)
    disposeWeights(start)
  })

  it('does the same in one microbatch and in several', async () => {
    const batch = await Promise.all(['a=one', 'b=two and more', 'c=three?'].map((text) => trajectory(text, 2)))
    const start = await cloneWeights(weights)
    const results: Float32Array[] = []
    for (const microbatchTokens of [32, 4096]) {
      for (const [key, variable] of Object.entries(weights))
        await setWeight(variable, await downloadWeight(start[key]!))
      const grpo = await createGrpo(policy(), { ...OPTIONS, microbatchTokens })
      await grpo.step([group(batch, [1, 0, 0.5])], 1e-3)
      results.push(await downloadWeight(weights['layers.0.q.weight']!))
      grpo.dispose()
    }
    results[0]!.forEach((value, i) => expect(value).toBeCloseTo(results[1]![i]!, 5))
    disposeWeights(start)
  })

  it.each([
    ['no trajectory', 0.01, () => Promise.resolve<Group[]>([])],
    ['no advantage', 0, async () => [group([await trajectory('a=one', 2), await trajectory('b=two', 2)], [1, 1])]],
    ['no advantage', 0, async () => [group([await trajectory('a=one', 2)], [1])]],
    [
      'no token of the policy',
      0.01,
      async () => [group([await trajectory('a=one', 5), await trajectory('b=', 2)], [1, 0])],
    ],
  ])('%s (klCoef %f): no weight, momentum or counter changes', async (reason, klCoef, batch) => {
    const grpo = await createGrpo(policy(), { ...OPTIONS, klCoef })
    await grpo.step([group([await trajectory('2+2=four', 4), await trajectory('2+2=fish', 4)], [1, 0])], 1e-3)
    const everything = async (): Promise<unknown> => [
      await Promise.all(Object.values(weights).map(downloadWeight)),
      await Promise.all(Object.values(grpo.state().weights['optimizer']!).map(downloadWeight)),
      grpo.state().counters,
    ]
    const before = await everything()
    expect(await grpo.step(await batch(), 1e-3)).toMatchObject({ skipped: reason, gradNorm: 0 })
    expect(await everything()).toEqual(before)
    // The divergence from the reference is something to learn from.
    const equal = [group([await trajectory('a=one', 2), await trajectory('b=two', 2)], [1, 1])]
    if (klCoef > 0) expect(await grpo.step(equal, 1e-3)).not.toHaveProperty('skipped')
    grpo.dispose()
  })
})
