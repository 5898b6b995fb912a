import { importanceWeights, samplerMismatch } from '../algorithm/importance-weights.js'
import { lossShares } from '../algorithm/loss-share.js'
import { clippedPolicyLoss } from '../algorithm/policy-loss.js'
import { clippedValueLoss } from '../algorithm/value-loss.js'
import type { Weights } from '../model/weights.js'
import type { Traced } from '../tensor/compile.js'
import { float32, int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { tf } from '../tensor/runtime.js'
import { examineTrajectories } from './examine-trajectories.js'
import type { ExaminedTrajectory } from './examine-trajectories.js'
import type { LearnerSettings, LearnerState, LearnerStep } from './learner.js'
import { compileLoss, compileTargetLogprobs, modelWeights } from './loss-function.js'
import type { ModelWeights, Trainable } from './loss-function.js'
import { memoryGuard } from './memory-model.js'
import { perTarget, rolloutMicrobatches, targetInputs } from './microbatch.js'
import type { Microbatch, TargetInputs } from './microbatch.js'
import type { Sequence } from './rows.js'
import { minibatches } from './minibatches.js'
import { NotFiniteError } from './not-finite.js'
import { createOptimizer } from './optimizer.js'
import type { Optimizer } from './optimizer.js'
import type { PolicySettings } from './policy-settings.js'
import { createReference } from './reference.js'
import { samplingDifferences } from './sampling-difference.js'
import type { SamplingDifferences } from './sampling-difference.js'
import { readRows, rowsInput } from './target-rows.js'
import type { TokenRows } from './target-rows.js'
import type { TrainedSequence } from './trained-batch.js'
import { valuesOf } from './value-head.js'

/** What the steps on a batch need of each trained token. */
export interface UpdateRows {
  /** Log-probabilities before the batch's first step. */
  oldLogprobs: TokenRows
  /** Under the reference. */
  refLogprobs: TokenRows
  advantages: TokenRows
  /** Of `importanceCorrection`. */
  weights?: TokenRows
  /** For a value head on the policy itself. */
  oldValues?: TokenRows
  /** The same. */
  returns?: TokenRows
}

/** A critic that learns beside the policy, minibatch by minibatch. */
export interface CriticSteps {
  /** Adds the gradient of a minibatch. */
  accumulate(places: readonly number[]): Promise<void>
  /** As those of `Optimizer`. */
  check(): Promise<number>
  apply(norm: number): Promise<void>
  clear(): Promise<void>
}

/** The policy, its reference and its optimizer: what all algorithms do with a batch whose advantages are known. */
export interface PolicyUpdater {
  readonly optimizer: Optimizer
  readonly model: ModelWeights
  /** Log-probabilities of a batch before its first step, and how far sampler and trainer disagree. */
  measure(sequences: readonly TrainedSequence[]): Promise<Omit<UpdateRows, 'advantages'> & { samplerKl?: number }>
  /**
   * Goes through a batch: `epochs` times, an optimizer step for each minibatch. A minibatch without evidence has none.
   * @param critic Learns in the same steps; of both, none is changed where either's gradient is not finite.
   * @param frozen True leaves the policy as it is, while the critic learns.
   */
  learn(
    sequences: readonly TrainedSequence[],
    rows: UpdateRows,
    learningRate: number,
    critic?: CriticSteps,
    frozen?: boolean,
  ): Promise<LearnerStep>
  /** As that of a learner. */
  examine(): Promise<ExaminedTrajectory[]>
  /** What a saved run keeps of it. */
  state(): LearnerState
  /** As that of a learner. */
  restore(counters: LearnerState['counters']): Promise<void>
  dispose(): void
}

export type UpdaterSettings = PolicySettings & LearnerSettings & { seed?: number }

/** A value head on the policy itself, which learns by the same loss. */
export interface SharedValueHead {
  head: Weights
  clip: number
  /** Weight of the value loss. */
  coef: number
}

type RowInput = 'oldLogprobs' | 'refLogprobs' | 'advantages' | 'share'
type LossInputs = TargetInputs &
  Record<RowInput, HostTensor> &
  Partial<Record<'weights' | 'sequence' | 'oldValues' | 'returns', HostTensor>>

/** The policy of this moment becomes the reference. */
export async function createPolicyUpdater(
  policy: Trainable,
  settings: UpdaterSettings,
  shared?: SharedValueHead,
): Promise<PolicyUpdater> {
  const { klIn, klCoef, klEstimator, ratio, bfloat16, microbatchTokens, seed = 0 } = settings
  const { importanceCorrection, maskObservations } = settings
  const reference = await createReference(policy, settings.reference)
  const { trainable, frozen } = modelWeights(policy)
  const model = { trainable: { ...trainable, ...shared?.head }, frozen }
  const refuseLarge = memoryGuard({ ...settings, config: policy.config })
  const optimizer = await createOptimizer(model.trainable, settings)
  const logprobsOf = compileTargetLogprobs(policy, settings)
  const lossOptions = {
    clipLow: settings.clip,
    clipHigh: settings.clipHigh ?? settings.clip,
    ...(settings.dualClip !== undefined && { dualClip: settings.dualClip }),
    ratio,
    klCoef: klIn === 'loss' ? klCoef : 0,
    estimator: klEstimator,
    clamp: settings.klClamp,
  }
  const accumulate = compileLoss('policy loss', policy, settings, (outputs, inputs: Traced<LossInputs>) => {
    const { logprobs } = outputs
    // Each sequence has a target or more.
    const atMost = inputs.targets.shape[0]
    const { loss, metrics } = clippedPolicyLoss({ ...inputs, logprobs }, lossOptions, atMost)
    if (!shared) return { loss, metrics: { ...metrics, logprobs, valueLoss: tf.scalar(0), valueClipped: tf.scalar(0) } }
    const { oldValues, returns, share } = inputs as Required<typeof inputs>
    const value = clippedValueLoss({ values: valuesOf(outputs), oldValues, returns, share }, shared.clip)
    return {
      loss: loss.add(value.loss.mul(shared.coef)),
      metrics: { ...metrics, ...value.metrics, logprobs, valueLoss: value.loss },
    }
  })

  const microbatchesOf = (sequences: readonly Sequence[]): Microbatch[] =>
    rolloutMicrobatches(sequences, policy.config, microbatchTokens)

  async function accumulateMinibatch(
    sequences: readonly TrainedSequence[],
    places: readonly number[],
    rows: UpdateRows,
    differences: SamplingDifferences | undefined,
  ): Promise<Sums> {
    const members = places.map((place) => sequences[place]!)
    const shares = lossShares(
      members.map(({ trained }) => trained.length),
      { aggregation: settings.lossAggregation, divisor: settings.lossDivisor },
    )
    const sums = noSums()
    const microbatches = microbatchesOf(members)
    microbatches.forEach(refuseLarge)
    for (const batch of microbatches) {
      const row = (of: TokenRows): HostTensor => rowsInput(batch, of, places)
      const { weights, oldValues, returns } = rows
      const inputs: LossInputs = {
        ...targetInputs(batch),
        oldLogprobs: row(rows.oldLogprobs),
        refLogprobs: row(rows.refLogprobs),
        advantages: row(rows.advantages),
        share: float32(perTarget(batch, ({ sequence }) => shares[sequence]!)),
        ...(weights && { weights: row(weights) }),
        ...(ratio !== 'token' && { sequence: int32(Int32Array.from(perTarget(batch, ({ sequence }) => sequence))) }),
        ...(shared && { oldValues: row(oldValues!), returns: row(returns!) }),
      }
      const result = await accumulate(inputs, { ...model, gradients: optimizer.gradients })
      for (const key of SUMMED) sums[key] += result[key].data[0]!
      differences?.add(batch, result.logprobs, members)
      sums.maxRatio = Math.max(sums.maxRatio, result.maxRatio.data[0]!)
      sums.minRatio = Math.min(sums.minRatio, result.minRatio.data[0]!)
    }
    return sums
  }

  const readLogprobs = (sequences: readonly Sequence[], weights: ModelWeights): Promise<number[][]> =>
    readRows(sequences, microbatchesOf(sequences), async (inputs) => (await logprobsOf(inputs, weights)).logprobs)

  let failed: { sequences: readonly TrainedSequence[]; rows: UpdateRows } | undefined

  return {
    optimizer,
    model,
    async measure(sequences) {
      // Before anything is computed.
      microbatchesOf(sequences).forEach(refuseLarge)
      const read = (weights: ModelWeights): Promise<number[][]> => readLogprobs(sequences, weights)
      const told = sequences.map(({ samplerLogprobs }) => samplerLogprobs)
      // The sampler computes in float32 as the trainer does, so that its own log-probabilities are the old ones.
      const oldLogprobs = bfloat16 || importanceCorrection || !maskObservations ? await read(model) : told
      const sampledOr = (value: number, old: number): number => (maskObservations || !Number.isNaN(value) ? value : old)
      const sampler = told.map((row, i) => row.map((value, t) => sampledOr(value, oldLogprobs[i]![t]!)))
      const refLogprobs = await read(reference.weights)
      if (!importanceCorrection) return { oldLogprobs, refLogprobs }
      return {
        oldLogprobs,
        refLogprobs,
        weights: importanceWeights(oldLogprobs, sampler, importanceCorrection),
        samplerKl: samplerMismatch(oldLogprobs, sampler).kl,
      }
    },
    async learn(sequences, rows, learningRate, critic, frozen = false) {
      // Before its first step the policy is the reference, so that there is no divergence to reduce either.
      const diverged = lossOptions.klCoef > 0 && optimizer.steps > 0
      const teaches = (place: number): boolean =>
        sequences[place]!.trained.length > 0 &&
        (diverged || rows.advantages[place]!.some((advantage) => advantage !== 0))
      const total = createTotal()
      const differences = samplingDifferences()
      const before = optimizer.steps
      for (let epoch = 0; epoch < settings.epochs; epoch++) {
        const steps = minibatches(sequences.length, settings.minibatchTrajectories, seed + 31 * optimizer.steps + epoch)
        for (const places of steps) {
          const learns = !frozen && (shared !== undefined || places.some(teaches))
          // Later on the policy is no longer the one that sampled.
          const sampled = epoch === 0 && optimizer.steps === before
          const tokens = places.reduce((sum, place) => sum + sequences[place]!.trained.length, 0)
          try {
            const sums = await accumulateMinibatch(sequences, places, rows, sampled ? differences : undefined)
            await critic?.accumulate(places)
            if (!Number.isFinite(sums.loss)) throw new NotFiniteError(notFinite(sums.loss))
            const criticNorm = await critic?.check()
            // Without evidence what has been accumulated is 0 up to rounding; a step would move the weights on momentum.
            if (learns) {
              const norm = await optimizer.check()
              await optimizer.apply(learningRate, norm)
              total.add(sums, tokens, norm)
            } else {
              await optimizer.clear()
              total.add(sums, tokens)
            }
            if (criticNorm !== undefined) await critic!.apply(criticNorm)
          } catch (error) {
            await optimizer.clear()
            await critic?.clear()
            failed = { sequences, rows }
            throw error
          }
        }
      }
      return { ...total.step(shared !== undefined), ...differences.result() }
    },
    async examine() {
      if (!failed) return []
      const { sequences, rows } = failed
      return examineTrajectories(sequences, rows, {
        logprobs: async (alone) => (await readLogprobs([alone], model))[0]!,
        loss: async (place) => (await accumulateMinibatch(sequences, [place], rows, undefined)).loss,
        optimizer,
      })
    },
    state: () => ({
      weights: { ...(reference.copy && { reference: reference.copy }), optimizer: optimizer.moments },
      counters: { optimizerSteps: optimizer.steps, referenceIsBase: Number(reference.isBase) },
    }),
    async restore({ optimizerSteps, referenceIsBase }) {
      await reference.become(referenceIsBase === 1)
      optimizer.steps = optimizerSteps!
    },
    dispose() {
      reference.dispose()
      optimizer.dispose()
      accumulate.dispose()
      logprobsOf.dispose()
    },
  }
}

const SUMMED = ['loss', 'kl', 'clipped', 'oldKl', 'valueLoss', 'valueClipped'] as const

type Sums = Record<(typeof SUMMED)[number] | 'maxRatio' | 'minRatio', number>

const noSums = (): Sums => ({
  ...{ loss: 0, kl: 0, clipped: 0, oldKl: 0, valueLoss: 0, valueClipped: 0 },
  ...{ maxRatio: 0, minRatio: Infinity },
})

const notFinite = (loss: number): string =>
  `policy update: the loss must be finite, got ${loss}; the weights are those before the update. ` +
  'Lower the learning rate, or go back to an earlier checkpoint'

/** What the steps on a batch measured together: the loss is their mean, the rest means over tokens, norms the largest. */
function createTotal() {
  const all = { ...noSums(), tokens: 0 }
  let passes = 0
  let steps = 0
  let gradNorm = 0
  return {
    add(sums: Sums, tokens: number, norm?: number): void {
      passes++
      all.tokens += tokens
      for (const key of SUMMED) all[key] += sums[key]
      all.maxRatio = Math.max(all.maxRatio, sums.maxRatio)
      all.minRatio = Math.min(all.minRatio, sums.minRatio)
      if (norm === undefined) return
      steps++
      gradNorm = Math.max(gradNorm, norm)
    },
    step(withValues: boolean): LearnerStep {
      const tokens = Math.max(1, all.tokens)
      const { maxRatio, minRatio } = all
      return {
        loss: all.loss / passes,
        kl: all.kl / tokens,
        clipFraction: all.clipped / tokens,
        gradNorm,
        ...(steps === 0 && { skipped: 'no advantage' }),
        measures: {
          ...(tokens > 0 && Number.isFinite(minRatio) && { maxRatio, minRatio }),
          oldKl: all.oldKl / tokens,
          optimizerSteps: steps,
          ...(withValues && { valueLoss: all.valueLoss / passes, valueClipFraction: all.valueClipped / tokens }),
        },
      }
    },
  }
}
