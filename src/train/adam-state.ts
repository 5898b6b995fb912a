import { compile } from '../tensor/compile.js'
import type { NoInputs, Traced } from '../tensor/compile.js'
import { int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { applyAdam, gatherVariable, scatterVariable } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import { Variable } from '../tensor/variable.js'

/** Numbers of one optimizer step. */
export type AdamScalars = Record<
  | 'learningRate'
  | 'epsilon'
  /** Gradients are multiplied by it. */
  | 'scale'
  | 'beta1'
  | 'beta2'
  /** What is added before a number is cut to an integer, in [0, 1). */
  | 'dither',
  number
>

/** What Adam remembers of one weight. */
export interface AdamState {
  /** By name, for a saved run. */
  readonly variables: Record<string, Variable>
  /** Changes the weight and this state. Nothing else of the engine's queue comes in between. */
  apply(scalars: AdamScalars): Promise<unknown>
}

interface Pair {
  weight: Variable
  gradient: Variable
}

/** One pass over the state: TensorFlow's own fused kernel. Weights of one shape share a function. */
const update = compile(
  'adamw',
  (s: Traced<AdamScalars>, { weight, gradient, first, second }: Pair & Record<'first' | 'second', Variable>) => {
    applyAdam(weight, first, second, gradient.read().mul(s.scale), s)
    return {}
  },
)

/** Both moments in float32: 8 bytes for each value of the weight. */
export function float32State({ weight, gradient }: Pair): AdamState {
  const [first, second] = [0, 1].map(() => new Variable(weight.shape, 'float32', weight.name))
  const variables = { first: first!, second: second! }
  return { variables, apply: (scalars) => update(scalars, { weight, gradient, ...variables }) }
}

/** Values that share a scale, as in bitsandbytes. */
const BLOCK = 256
/** Weights smaller than this keep float32 moments, as in bitsandbytes. */
const SMALLEST = 4096
/** A weight is updated in parts of about so many values: what one part needs beside the state fits into a cache. */
const PART = 2 ** 20
const LEVELS = { first: 127, second: 255 }

/**
 * Both moments in 8 bits: 2.03 bytes for each value of the weight, after "8-bit Optimizers via Block-wise Quantization"
 * (arXiv 2110.02861). As there, blocks of 256 values are divided by their largest magnitude, and small values are kept
 * finer than large ones. Two things are simpler: the levels are fourth powers, x⁴ for x = k/127 (first moment, with a
 * sign) and k/255 (second moment), not a table, and they are rounded with a dither that is the same for all values and
 * runs through [0, 1) from step to step. So a change smaller than a level counts in the mean, where rounding to the
 * nearest would lose it each time.
 *
 * Error of one step, relative to the value: at most 4/127 (first) and 4/255 (second) at the block's largest, growing with
 * the fourth root of the distance: 10 % and 5 % at a hundredth of it.
 */
export function eightBitState(pair: Pair): AdamState {
  const { weight } = pair
  if (weight.size < SMALLEST) return float32State(pair)
  const parts = partsOf(weight.shape).map((part) => ({ part, moments: quantisedMoments(weight.name, part) }))
  const names = parts.flatMap(({ moments }, i) =>
    Object.entries(moments).map(([name, variable]) => [parts.length === 1 ? name : `${name}.${i}`, variable] as const),
  )
  return {
    variables: Object.fromEntries(names),
    apply: (scalars) => {
      const changes = parts.map(({ part: { rows }, moments }) =>
        rows === undefined
          ? updateWhole(scalars, { ...pair, ...moments })
          : updateRows({ ...scalars, rows }, { gradient: pair.gradient, ...moments }),
      )
      return Promise.all(parts.length === 1 ? changes : [...changes, addChange({}, pair)])
    },
  }
}

interface Part {
  /** Rows of the weight, int32; undefined where the part is all of it. */
  rows: HostTensor | undefined
  /** Number of values. */
  size: number
}

function partsOf(shape: readonly number[]): Part[] {
  const size = shape.reduce((a, b) => a * b, 1)
  const rows = shape[0]!
  const step = Math.max(1, Math.floor(PART / (size / rows)))
  if (step >= rows) return [{ rows: undefined, size }]
  return Array.from({ length: Math.ceil(rows / step) }, (_, i) => {
    const count = Math.min(step, rows - i * step)
    const numbers = Int32Array.from({ length: count }, (_, row) => i * step + row)
    return { rows: int32(numbers), size: (size / rows) * count }
  })
}

type Moments = Record<'first' | 'second' | 'firstScale' | 'secondScale', Variable>

function quantisedMoments(name: string, { size }: Part): Moments {
  const blocks = Math.ceil(size / BLOCK)
  return {
    first: new Variable([blocks, BLOCK], 'int8', name),
    second: new Variable([blocks, BLOCK], 'uint8', name),
    firstScale: new Variable([blocks, 1], 'float32', name),
    secondScale: new Variable([blocks, 1], 'float32', name),
  }
}

const updateWhole = compile(
  'adamw, 8-bit',
  (s: Traced<AdamScalars>, { weight, gradient, ...moments }: Pair & Moments) => {
    weight.add(change(s, gradient.read(), moments))
    return {}
  },
)

/** Puts the change of some rows in place of their gradient. (TensorFlow copies a variable of which rows are set at each
 * read from then on, so that it is not done to the weight.) */
const updateRows = compile(
  'adamw, 8-bit, rows',
  (
    { rows, ...s }: Traced<AdamScalars & { rows: HostTensor }>,
    { gradient, ...moments }: Pick<Pair, 'gradient'> & Moments,
  ) => {
    scatterVariable(gradient, rows, change(s, gatherVariable(gradient, rows), moments))
    return {}
  },
)

const addChange = compile('adamw, 8-bit, change', (_: NoInputs, { weight, gradient }: Pair) => {
  weight.add(gradient.read())
  return {}
})

type Tensor = ReturnType<typeof tf.tensor>

/** What Adam adds to a weight; the moments go one step on. */
function change(s: Traced<AdamScalars>, gradient: Tensor, moments: Moments): Tensor {
  const blocks = moments.first.shape[0]!
  const missing = blocks * BLOCK - gradient.size
  const flat = gradient.reshape([-1]).mul(s.scale)
  const g = (missing === 0 ? flat : flat.pad([[0, missing]])).reshape([blocks, BLOCK])

  const code = moments.first.read()
  const magnitude = code.abs()
  const decoded = code.mul(magnitude).mul(magnitude.square()).mul(moments.firstScale.read())
  const first = decoded.mul(s.beta1).add(g.mul(one(s.beta1)))
  const squares = moments.second.read().square().square().mul(moments.secondScale.read())
  const second = squares.mul(s.beta2).add(g.square().mul(one(s.beta2)))

  const size = first.abs()
  const firstTop = size.max(-1, true)
  moments.first.assign(levels(size, firstTop, LEVELS.first, s.dither).mul(first.sign()))
  moments.firstScale.assign(firstTop.mul(1 / LEVELS.first ** 4))
  const secondTop = second.max(-1, true)
  // Never 0, which would make Adam divide by ε where the first moment is not 0.
  moments.second.assign(levels(second, secondTop, LEVELS.second, s.dither).maximum(1))
  moments.secondScale.assign(secondTop.mul(1 / LEVELS.second ** 4))

  const step = first.div(second.sqrt().add(s.epsilon)).mul(s.learningRate.neg()).reshape([-1])
  return (missing === 0 ? step : step.slice([0], [gradient.size])).reshape(gradient.shape)
}

const one = (beta: Tensor): Tensor => tf.scalar(1).sub(beta)

/** Whole numbers from 0 to `count` that stand for values of at most `top`. */
const levels = (values: Tensor, top: Tensor, count: number, dither: Tensor): Tensor =>
  values.div(top.maximum(1e-38)).sqrt().sqrt().mul(count).add(dither).floor()
