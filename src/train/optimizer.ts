import { z } from 'zod'
import { clearWeights, disposeWeights, zeroWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { compile } from '../tensor/compile.js'
import type { NoInputs, Traced } from '../tensor/compile.js'
import { applyAdam, fill, sumOfSquares } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'

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
}

const moment = z.number().min(0).lt(1)

export const optimizerSettings = {
  beta1: moment.default(0.9),
  beta2: moment.default(0.999),
  epsilon: z.number().positive().default(1e-8),
  weightDecay: z.number().min(0).default(0),
  maxGradNorm: z.number().positive().default(1),
}

/** Accumulated gradients and optimizer state of one set of weights. */
export interface Optimizer {
  /** Compiled loss functions add to these. */
  readonly gradients: Weights
  /** Running means of gradients (`first.…`) and of their squares (`second.…`): what a saved run must keep. */
  readonly moments: Weights
  /** Steps so far. */
  steps: number
  /**
   * One optimizer step with what has been accumulated, which is then cleared. A gradient that is not finite throws and
   * leaves the weights as they were.
   * @returns the gradient norm before clipping
   */
  step(learningRate: number): Promise<number>
  /** Forgets what has been accumulated. */
  clear(): Promise<void>
  dispose(): void
}

interface State {
  weights: Weights
  gradients: Weights
  first: Weights
  second: Weights
}

const gradientNorm = compile('gradient norm', (_: NoInputs, gradients: Weights) => {
  const squares = Object.values(gradients).map((gradient) => sumOfSquares(gradient.read()))
  return { norm: tf.sqrt(tf.addN(squares)) }
})

type Scalars = Record<'learningRate' | 'scale' | 'decay' | 'beta1' | 'beta2' | 'epsilon' | 'zero', number>

/** One pass over the state: TensorFlow's own fused kernel. */
const compileUpdate = (decays: boolean) =>
  compile('adamw', (s: Traced<Scalars>, state: State) => {
    for (const [key, weight] of Object.entries(state.weights)) {
      const gradient = state.gradients[key]!
      if (decays && weight.shape.length > 1) weight.assign(weight.read().mul(s.decay))
      applyAdam(weight, state.first[key]!, state.second[key]!, gradient.read().mul(s.scale), s)
      gradient.assign(fill(weight.shape, s.zero))
    }
    return {}
  })

const defaults = z.object(optimizerSettings).parse({})

/** @param weights The weights to train; they stay the caller's. */
export async function createOptimizer(weights: Weights, settings: Partial<OptimizerSettings> = {}): Promise<Optimizer> {
  const { beta1, beta2, epsilon, weightDecay, maxGradNorm } = { ...defaults, ...settings }
  const state: State = {
    weights,
    gradients: await zeroWeights(weights),
    first: await zeroWeights(weights),
    second: await zeroWeights(weights),
  }
  const update = compileUpdate(weightDecay > 0)
  const named = (name: 'first' | 'second'): [string, Weights[string]][] =>
    Object.entries(state[name]).map(([key, variable]) => [`${name}.${key}`, variable])
  const optimizer: Optimizer = {
    gradients: state.gradients,
    moments: Object.fromEntries([...named('first'), ...named('second')]),
    steps: 0,
    async step(learningRate) {
      const norm = (await gradientNorm({}, state.gradients)).norm.data[0]!
      if (!Number.isFinite(norm)) {
        await clearWeights(state.gradients)
        throw new Error(
          `optimizer step: the gradient norm must be finite, got ${norm}; lower the learning rate or look at the batch`,
        )
      }
      const steps = optimizer.steps + 1
      const scale = norm > maxGradNorm ? maxGradNorm / (norm + 1e-6) : 1
      const correction1 = 1 - beta1 ** steps
      const correction2 = Math.sqrt(1 - beta2 ** steps)
      const scalars = {
        // m/c₁ / (√(v/c₂) + ε) = √c₂/c₁ · m / (√v + ε·√c₂), so that the corrections go into the two scalars.
        learningRate: (learningRate * correction2) / correction1,
        epsilon: epsilon * correction2,
        decay: 1 - learningRate * weightDecay,
        scale,
        beta1,
        beta2,
        zero: 0,
      }
      await update(scalars, state)
      optimizer.steps = steps
      return norm
    },
    clear: () => clearWeights(state.gradients),
    dispose() {
      disposeWeights(state.gradients)
      disposeWeights(state.first)
      disposeWeights(state.second)
      update.dispose()
    },
  }
  return optimizer
}
