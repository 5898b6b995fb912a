import { z } from 'zod'
import { clearWeights, disposeWeights, zeroWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { compile } from '../tensor/compile.js'
import type { NoInputs, Traced } from '../tensor/compile.js'
import { sumOfSquares } from '../tensor/ops.js'
import { releaseIdleMemory } from '../tensor/release-memory.js'
import { tf } from '../tensor/runtime.js'
import type { Variable } from '../tensor/variable.js'
import { NotFiniteError } from './not-finite.js'
import { eightBitState, float32State } from './adam-state.js'

/** AdamW (arXiv 1711.05101) with clipping of the global gradient norm. */
export interface OptimizerSettings {
  /** Default 0.9. */
  beta1: number
  /** Default 0.999. */
  beta2: number
  /** Default 1e-8. */
  epsilon: number
  /** Decoupled weight decay of matrices (norms and biases have none). Default 0. */
  weightDecay: number
  /** Gradients are scaled down to this global norm. Default 1. */
  maxGradNorm: number
  /**
   * `float32`: 8 bytes for each value of the weights. `8-bit`: 2 bytes, for models that would not fit otherwise; a step
   * takes longer. Default `float32`.
   */
  optimizerStates: 'float32' | '8-bit'
}

const moment = z.number().min(0).lt(1)

export const optimizerSettings = {
  beta1: moment.default(0.9),
  beta2: moment.default(0.999),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0),
  maxGradNorm: z.number().positive().default(1),
  optimizerStates: z.enum(['float32', '8-bit']).default('float32'),
}

/** Accumulated gradients and optimizer state of one set of weights. */
export interface Optimizer {
  /** Compiled loss functions add to these. */
  readonly gradients: Weights
  /** Means of gradients and of their squares, as they are kept (adam-state.ts): what a saved run must keep. */
  readonly moments: Weights
  /** Steps so far. */
  steps: number
  /**
   * One optimizer step with what has been accumulated, which is then cleared. A gradient that is not finite throws and
   * leaves the weights as they were.
   * @returns the gradient norm before clipping
   */
  step(learningRate: number): Promise<number>
  /**
   * The gradient norm of what has been accumulated; one that is not finite throws and clears it. Where several sets of weights
   * change together, each is checked before the first is changed.
   */
  check(): Promise<number>
  /** The step itself, with the norm that `check` gave. */
  apply(learningRate: number, norm: number): Promise<void>
  /** Forgets what has been accumulated. */
  clear(): Promise<void>
  dispose(): void
}

const gradientNorm = compile('gradient norm', (_: NoInputs, gradients: Weights) => {
  const squares = Object.values(gradients).map((gradient) => sumOfSquares(gradient.read()))
  return { norm: tf.sqrt(tf.addN(squares)) }
})

const decay = compile('weight decay', ({ factor }: Traced<{ factor: number }>, weight: Variable) => {
  weight.assign(weight.read().mul(factor))
  return {}
})

/** Multiples of it, modulo 1, are spread evenly over [0, 1) however many there are. */
const GOLDEN = (Math.sqrt(5) - 1) / 2

const defaults = z.object(optimizerSettings).parse({})

/** @param weights The weights to train; they stay the caller's. */
export async function createOptimizer(weights: Weights, settings: Partial<OptimizerSettings> = {}): Promise<Optimizer> {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm, optimizerStates } = { ...defaults, ...settings }
  const gradients = await zeroWeights(weights)
  const makeState = optimizerStates === '8-bit' ? eightBitState : float32State
  const states = Object.entries(weights).map(([key, weight]) => ({
    key,
    weight,
    state: makeState({ weight, gradient: gradients[key]! }),
  }))
  const moments = Object.fromEntries(
    states.flatMap(({ key, state }) =>
      Object.entries(state.variables).map(([name, variable]) => [`${name}.${key}`, variable] as const),
    ),
  )
  await clearWeights(moments)
  const optimizer: Optimizer = {
    gradients,
    moments,
    steps: 0,
    async step(learningRate) {
      const norm = await optimizer.check()
      await optimizer.apply(learningRate, norm)
      return norm
    },
    async check() {
      const norm = (await gradientNorm({}, gradients)).norm.data[0]!
      if (!Number.isFinite(norm)) {
        await clearWeights(gradients)
        throw new NotFiniteError(
          `optimizer step: the gradient norm must be finite, got ${norm}; lower the learning rate or look at the batch`,
        )
      }
      return norm
    },
    async apply(learningRate, norm) {
      const steps = optimizer.steps + 1
      const scale = norm > maxGradNorm ? maxGradNorm / (norm + 1e-6) : 1
      const correction1 = 1 - beta1 ** steps
      const correction2 = Math.sqrt(1 - beta2 ** steps)
      const scalars = {
        // m/c₁ / (√(v/c₂) + ε) = √c₂/c₁ · m / (√v + ε·√c₂), so that the corrections go into the two scalars.
        learningRate: (learningRate * correction2) / correction1,
        epsilon: epsilon * correction2,
        scale,
        beta1,
        beta2,
        dither: (steps * GOLDEN) % 1,
      }
      // Asked for at once, so that no other call of the engine sees some weights of this step and some of the last.
      const factor = 1 - learningRate * weightDecay
      await Promise.all(
        states.flatMap(({ weight, state }) => [
          ...(weightDecay > 0 && weight.shape.length > 1 ? [decay({ factor }, weight)] : []),
          state.apply(scalars),
        ]),
      )
      await clearWeights(gradients)
      await releaseIdleMemory()
      optimizer.steps = steps
    },
    clear: () => clearWeights(gradients),
    dispose() {
      disposeWeights(gradients)
      disposeWeights(moments)
    },
  }
  return optimizer
}
