import { clippedPolicyLoss } from '../algorithm/policy-loss.js'
import { cloneWeights, disposeWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import type { LocalPolicy } from '../policy/local-policy.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { Traced } from '../tensor/compile.js'
import { float32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { targetLogprobs } from '../tensor/ops.js'
import { compileLoss, compileTargetLogprobs } from './loss-function.js'
import type { TargetInputs } from './loss-function.js'
import { perTarget, toMicrobatches } from './microbatch.js'
import type { Microbatch } from './microbatch.js'
import { createOptimizer } from './optimizer.js'
import type { Optimizer } from './optimizer.js'

export interface GrpoOptions {
  /** The probability ratio is clipped to 1 ± this. */
  clip: number
  /** Weight of the k3 divergence from the reference in the loss. */
  klCoef: number
  /** Temperature that the trajectories were sampled at; log-probabilities are taken at it. */
  temperature: number
  /** `token`: all policy tokens of the batch count alike; `sequence`: all trajectories do (GRPO's own mean). */
  lossAggregation: 'token' | 'sequence'
  /** Ids of a microbatch, padding included; memory grows with it. */
  microbatchTokens: number
  /** Matrix products of the optimization in bfloat16. Old log-probabilities are then recomputed in bfloat16 as well. */
  bfloat16: boolean
  maxGradNorm: number
  weightDecay: number
}

export interface GrpoStep {
  loss: number
  kl: number
  clipFraction: number
  gradNorm: number
}

/** Learns from trajectories with advantages, one optimizer step a batch. */
export interface Grpo {
  /** The policy as it was at the start. */
  readonly reference: Weights
  readonly optimizer: Optimizer
  /**
   * @param advantages One per trajectory, given to each of its policy tokens.
   * Throws, with the weights as they were, where loss or gradient is not finite.
   */
  step(trajectories: readonly Trajectory[], advantages: readonly number[], learningRate: number): Promise<GrpoStep>
  dispose(): void
}

type LossInputs = TargetInputs & Record<'oldLogprobs' | 'refLogprobs' | 'advantages' | 'share', HostTensor>

/** Prepares training of a policy; its weights of this moment become the frozen reference. */
export async function createGrpo(policy: LocalPolicy, options: GrpoOptions): Promise<Grpo> {
  const { config, weights } = policy
  const { temperature, bfloat16 } = options
  const reference = await cloneWeights(weights)
  const optimizer = await createOptimizer(weights, options)
  const logprobsOf = compileTargetLogprobs(config, bfloat16)
  const accumulate = compileLoss('policy loss', config, bfloat16, (logits, inputs: Traced<LossInputs>) => {
    const logprobs = targetLogprobs(logits.div(temperature), inputs.targets)
    return clippedPolicyLoss({ ...inputs, logprobs }, options)
  })

  async function lossInputs(
    batch: Microbatch,
    trajectories: readonly Trajectory[],
    advantages: readonly number[],
    shares: number[],
  ) {
    const { ids, at, targets } = batch
    const token = { ids, at, targets, temperature }
    const oldLogprobs = bfloat16
      ? (await logprobsOf(token, weights)).logprobs
      : float32(perTarget(batch, ({ sequence, place }) => trajectories[sequence]!.logprobs[place]!))
    const refLogprobs = (await logprobsOf(token, reference)).logprobs
    return {
      ids,
      at,
      targets,
      oldLogprobs,
      refLogprobs,
      advantages: float32(perTarget(batch, ({ sequence }) => advantages[sequence]!)),
      share: float32(perTarget(batch, ({ sequence }) => shares[sequence]!)),
    }
  }

  return {
    reference,
    optimizer,
    async step(trajectories, advantages, learningRate) {
      const sequences = trajectories.map(({ ids, lossMask }) => ({
        ids,
        trained: lossMask.flatMap((mask, place) => (mask === 1 ? [place] : [])),
      }))
      const shares = tokenShares(
        sequences.map((sequence) => sequence.trained.length),
        options.lossAggregation,
      )
      const total: GrpoStep = { loss: 0, kl: 0, clipFraction: 0, gradNorm: 0 }
      for (const batch of toMicrobatches(sequences, options.microbatchTokens)) {
        const inputs = await lossInputs(batch, trajectories, advantages, shares)
        const result = await accumulate(inputs, { weights, gradients: optimizer.gradients })
        for (const key of ['loss', 'kl', 'clipFraction'] as const) total[key] += result[key].data[0]!
      }
      if (!Number.isFinite(total.loss)) {
        await optimizer.clear()
        throw new Error(
          `policy update: the loss must be finite, got ${total.loss}; the weights are those before the update. ` +
            'Lower the learning rate, or go back to an earlier checkpoint',
        )
      }
      total.gradNorm = await optimizer.step(learningRate)
      return total
    },
    dispose() {
      disposeWeights(reference)
      optimizer.dispose()
      accumulate.dispose()
      logprobsOf.dispose()
    },
  }
}

/** The share of one token of each sequence in the loss; over all tokens they sum to 1. */
export function tokenShares(tokens: readonly number[], aggregation: 'token' | 'sequence'): number[] {
  const all = tokens.reduce((a, b) => a + b, 0)
  const sequences = tokens.filter((count) => count > 0).length
  return tokens.map((count) => (count === 0 ? 0 : aggregation === 'token' ? 1 / all : 1 / (sequences * count)))
}
