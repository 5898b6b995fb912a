import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { backend, tf } from './runtime.js'
import { attribute, currentTrace, op, runOp } from './trace.js'
import type { Variable } from './variable.js'

type Tensor = TensorFlow.Tensor

/**
 * Rows of a table, as `tf.gather` on axis 0; that one reads its indices on the host at every call.
 * Indices must lie in the table: TensorFlow gives an error on the CPU and zeros on a GPU.
 * @param table [rows, ...rest]
 * @param ids int32, any shape
 * @returns [...shape of ids, ...rest]
 */
export function gatherRows(table: Tensor, ids: Tensor): Tensor {
  const gather = tf.customGrad((x, save) => {
    ;(save as (tensors: Tensor[]) => void)([])
    return {
      value: gatherV2(x as Tensor, ids, 0),
      gradFunc: (dy: Tensor) => [unsortedSegmentSum(dy, ids, table.shape[0])],
    }
  })
  return gather(table)
}

/** Without a gradient: slices of `values` along an axis. */
export function gatherV2(values: Tensor, ids: Tensor, axis: number, batchDims = 0): Tensor {
  const attributes = [attribute.int('batch_dims', batchDims), attribute.type('Taxis', 'int32')]
  attributes.push(attribute.type('Tparams', values.dtype as 'float32'), attribute.type('Tindices', 'int32'))
  return op('GatherV2', attributes, [values, ids, tf.scalar(axis, 'int32')])[0]!
}

/**
 * The transpose of `gatherRows`: sums rows of `values` that have the same id.
 * @param values [n, ...rest]
 * @param ids int32 [n], each in [0, rows)
 * @returns [rows, ...rest]
 */
export function segmentSum(values: Tensor, ids: Tensor, rows: number): Tensor {
  const sum = tf.customGrad((x, save) => {
    ;(save as (tensors: Tensor[]) => void)([])
    return {
      value: unsortedSegmentSum(x as Tensor, ids, rows),
      gradFunc: (dy: Tensor) => [gatherV2(dy, ids, 0)],
    }
  })
  return sum(values)
}

function unsortedSegmentSum(values: Tensor, ids: Tensor, rows: number): Tensor {
  const attributes = [
    attribute.type('T', 'float32'),
    attribute.type('Tindices', 'int32'),
    attribute.type('Tnumsegments', 'int32'),
  ]
  return op('UnsortedSegmentSum', attributes, [values, ids, tf.scalar(rows, 'int32')])[0]!
}

/**
 * Writes rows into a tensor: `result[indices[i]] = updates[i]`. Without a gradient. Indices must not repeat.
 * @param values [d0, d1, …]
 * @param indices int32 [n, k], the first k coordinates of each row
 * @param updates [n, ...rest]
 */
export function scatterRows(values: Tensor, indices: Tensor, updates: Tensor): Tensor {
  const attributes = [attribute.type('T', values.dtype as 'float32'), attribute.type('Tindices', 'int32')]
  return op('TensorScatterUpdate', attributes, [values, indices, updates])[0]!
}

/** The value without its gradient. */
export function stopGradient(values: Tensor): Tensor {
  const stopped = tf.customGrad((x, save) => {
    ;(save as (tensors: Tensor[]) => void)([])
    return { value: (x as Tensor).clone(), gradFunc: (dy: Tensor) => [dy.zerosLike()] }
  })
  return stopped(values)
}

/**
 * Adds numbers to single places of a matrix: `result[places[i]] += values[i]`. Without a gradient. Places must not repeat.
 * @param places int32 [n, 2]
 * @param values [n]
 */
export function scatterAddValues(matrix: Tensor, places: Tensor, values: Tensor): Tensor {
  const attributes = [attribute.type('T', 'float32'), attribute.type('Tindices', 'int32')]
  return op('TensorScatterAdd', attributes, [matrix, places, values])[0]!
}

/**
 * Rows of a matrix, without a copy and without a gradient.
 * @param from int32, no dimensions
 */
export function rowsFrom(matrix: Tensor, from: Tensor, count: number): Tensor {
  const begin = tf.stack([from, tf.scalar(0, 'int32')])
  const size = tf.tensor1d([count, matrix.shape[1]!], 'int32')
  return op('Slice', [attribute.type('T', 'float32'), attribute.type('Index', 'int32')], [matrix, begin, size])[0]!
}

/**
 * Adds to the rows of a variable that follow `from`.
 * @param variable [rows, ...rest]
 * @param from int32, no dimensions
 * @param values [n, ...rest]
 */
export function addRows(variable: Variable, from: Tensor, values: Tensor): void {
  addAt(variable, from.add(tf.range(0, values.shape[0], 1, 'int32')), values)
}

/** Adds to rows of a variable that are all different. */
function addAt(variable: Variable, rows: Tensor, values: Tensor): void {
  const attributes = [attribute.type('dtype', 'float32'), attribute.type('Tindices', 'int32')]
  runOp('ResourceScatterAdd', attributes, [variable.symbol(), rows, values], 0)
}

/** Rows of a float32 variable, as `gatherRows` gives those of a tensor, without reading the rest. Without a gradient. */
export function gatherVariable(variable: Variable, ids: Tensor): Tensor {
  const attributes = [attribute.type('dtype', 'float32'), attribute.type('Tindices', 'int32')]
  const [info] = runOp('ResourceGather', attributes, [variable.symbol(), ids], 1)
  const shape = [...ids.shape, ...variable.shape.slice(1)]
  currentTrace()?.setShape(info!.id, shape)
  return backend.createOutputTensor({ ...info!, shape })
}

/** Writes rows of a float32 variable in place: `variable[ids[i]] = values[i]`. Ids must not repeat. */
export function scatterVariable(variable: Variable, ids: Tensor, values: Tensor): void {
  const attributes = [attribute.type('dtype', 'float32'), attribute.type('Tindices', 'int32')]
  runOp('ResourceScatterUpdate', attributes, [variable.symbol(), ids, values], 0)
}

/**
 * Adds rows to those of a variable. Rows for the same place are summed first, so that the result does not depend on the
 * order in which TensorFlow's threads add.
 * @param variable [rows, ...rest]
 * @param ids int32 [n], may repeat
 * @param values [n, ...rest]
 */
export function scatterAddRows(variable: Variable, ids: Tensor, values: Tensor): void {
  const n = ids.shape[0]
  const places = op('Unique', [attribute.type('T', 'int32'), attribute.type('out_idx', 'int32')], [ids], 2)[1]!
  const types = [attribute.type('Tindices', 'int32'), attribute.type('Tnumsegments', 'int32')]
  const segments = (name: string, data: Tensor): Tensor =>
    op(name, [attribute.type('T', data.dtype as 'int32'), ...types], [data, places, tf.scalar(n, 'int32')])[0]!
  const summed = segments('UnsortedSegmentSum', values)
  // There are fewer different ids than n: what is over adds zeros to row 0.
  const rows = tf.maximum(segments('UnsortedSegmentMax', ids), tf.scalar(0, 'int32'))
  addAt(variable, rows, summed)
}

/** The float32 that has the same bits as an int32. */
export function asFloat(bits: Tensor): Tensor {
  return op('Bitcast', [attribute.type('T', 'int32'), attribute.type('type', 'float32')], [bits])[0]!
}

/** Index of the largest value on the last axis, int32; the first one among equals. */
export function argMax(values: Tensor): Tensor {
  const attributes = [
    attribute.type('T', 'float32'),
    attribute.type('Tidx', 'int32'),
    attribute.type('output_type', 'int32'),
  ]
  return op('ArgMax', attributes, [values, tf.scalar(-1, 'int32')])[0]!
}

/**
 * A tensor of one value, made by the device at each call. The value is an input of the function: what TensorFlow can
 * work out beforehand, `tf.zeros` or a fill of a constant, it keeps as a constant of the graph.
 */
export function fill(shape: readonly number[], value: Tensor): Tensor {
  const attributes = [attribute.type('T', value.dtype as 'float32'), attribute.type('index_type', 'int32')]
  return op('Fill', attributes, [tf.tensor1d([...shape], 'int32'), value])[0]!
}

/** Of all values, in one pass without a copy. Without a gradient. */
export function sumOfSquares(values: Tensor): Tensor {
  return op('L2Loss', [attribute.type('T', 'float32')], [values])[0]!.mul(2)
}

/**
 * Zeroes a share of the values and divides the others by what is left of 1, so that the mean stays. The same seed gives
 * the same zeros.
 * @param share In [0, 1), frozen into the trace.
 * @param seed int32 [2]
 */
export function dropOut(values: Tensor, share: number, seed: Tensor): Tensor {
  const attributes = [
    attribute.type('dtype', 'float32'),
    attribute.type('T', 'int32'),
    attribute.type('Tseed', 'int32'),
  ]
  const shape = tf.tensor1d(values.shape, 'int32')
  const uniform = op('StatelessRandomUniform', attributes, [shape, seed])[0]!
  return values.mul(
    tf
      .greaterEqual(uniform, share)
      .toFloat()
      .mul(1 / (1 - share)),
  )
}

/**
 * Adam in one pass, in place: m ← β₁m + (1−β₁)g, v ← β₂v + (1−β₂)g², w ← w − rate · m / (√v + ε). Bias corrections are
 * the caller's, in rate and ε.
 * @param weight The variable to change; `first` (m), `second` (v) and `gradient` (g) are of its shape
 * @param scalars Tensors without dimensions
 */
export function applyAdam(
  weight: Variable,
  first: Variable,
  second: Variable,
  gradient: Tensor,
  scalars: Record<'learningRate' | 'beta1' | 'beta2' | 'epsilon', Tensor>,
): void {
  const state = [weight, first, second].map((variable) => variable.symbol())
  const { learningRate, beta1, beta2, epsilon } = scalars
  const uncorrected = tf.scalar(0)
  runOp(
    'ResourceApplyAdam',
    [attribute.type('T', 'float32'), attribute.bool('use_locking', false), attribute.bool('use_nesterov', false)],
    [...state, uncorrected, uncorrected, learningRate, beta1, beta2, epsilon, gradient],
    0,
  )
}
