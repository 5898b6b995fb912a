import { clearWeights, disposeWeights, zeroWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { compile } from '../tensor/compile.js'
import type { NoInputs, Traced } from '../tensor/compile.js'
import { tf } from '../tensor/runtime.js'

/** AdamW (arXiv 1711.05101) with clipping of the global gradient norm. */
export interface OptimizerOptions {
  /** Default 0.9. */
  beta1?: number
  /** Default 0.999. */
  beta2?: number
  /** Default 1e-8. */
  epsilon?: number
  /** Decoupled weight decay of matrices (norms and biases have none); default 0. */
  weightDecay?: number
  /** Gradients are scaled down to this norm; default 1. */
  maxGradNorm?: number
}

/** Accumulated gradients and optimizer state of one set of weights. */
export interface Optimizer {
  /** Compiled loss functions add to these. */
  readonly gradients: Weights
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
  const squares = Object.values(gradients).map((gradient) => gradient.read().square().sum())
  return { norm: tf.sqrt(tf.addN(squares)) }
})

type Scalars = { learningRate: number; scale: number; correction1: number; correction2: number } & Required<
  Omit<OptimizerOptions, 'maxGradNorm'>
>

const update = compile('adamw', (s: Traced<Scalars>, state: State) => {
  for (const [key, weight] of Object.entries(state.weights)) {
    const gradient = state.gradients[key]!.read().mul(s.scale)
    const first = state.first[key]!.read()
      .mul(s.beta1)
      .add(gradient.mul(tf.sub(1, s.beta1)))
    const second = state.second[key]!.read()
      .mul(s.beta2)
      .add(gradient.square().mul(tf.sub(1, s.beta2)))
    const direction = first.div(s.correction1).div(second.div(s.correction2).sqrt().add(s.epsilon))
    const value = weight.read()
    const decay = weight.shape.length > 1 ? value.mul(s.weightDecay) : tf.zerosLike(value)
    state.first[key]!.assign(first)
    state.second[key]!.assign(second)
    weight.assign(value.sub(direction.add(decay).mul(s.learningRate)))
    state.gradients[key]!.assign(tf.zerosLike(value))
  }
  return {}
})

/** @param weights The weights to train; they stay the caller's. */
export async function createOptimizer(weights: Weights, options: OptimizerOptions = {}): Promise<Optimizer> {
  const { beta1 = 0.9, beta2 = 0.999, epsilon = 1e-8, weightDecay = 0, maxGradNorm = 1 } = options
  const state: State = {
    weights,
    gradients: await zeroWeights(weights),
    first: await zeroWeights(weights),
    second: await zeroWeights(weights),
  }
  let steps = 0
  return {
    gradients: state.gradients,
    async step(learningRate) {
      const norm = (await gradientNorm({}, state.gradients)).norm.data[0]!
      if (!Number.isFinite(norm)) {
        await clearWeights(state.gradients)
        throw new Error(
          `optimizer step: the gradient norm must be finite, got ${norm}; lower the learning rate or look at the batch`,
        )
      }
      steps++
      const scale = norm > maxGradNorm ? maxGradNorm / (norm + 1e-6) : 1
      const correction1 = 1 - beta1 ** steps
      const correction2 = 1 - beta2 ** steps
      await update({ learningRate, scale, correction1, correction2, beta1, beta2, epsilon, weightDecay }, state)
      return norm
    },
    clear: () => clearWeights(state.gradients),
    dispose() {
      disposeWeights(state.gradients)
      disposeWeights(state.first)
      disposeWeights(state.second)
    },
  }
}
