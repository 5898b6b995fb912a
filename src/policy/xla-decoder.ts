import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import type { ModelConfig } from '../model/config.js'
import { attend, MASKED, perHead } from '../model/attend.js'
import { byKind, runLayers, unembed } from '../model/forward.js'
import type { ByKind, WeightTensors } from '../model/forward.js'
import { ropeAt } from '../model/rope.js'
import type { Rotation } from '../model/rope.js'
import { vocabularyMask } from '../model/vocabulary-mask.js'
import { readWeights } from '../model/weights.js'
import { compile } from '../tensor/compile.js'
import { float32, int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { gatherV2, scatterRows } from '../tensor/ops.js'
import { tf } from '../tensor/runtime.js'
import { truncationOf } from './decoder.js'
import type { Decoder, DecoderOptions, DecoderState } from './decoder.js'
import { draw, logSoftmax } from './sampling.js'
import type { DrawInputs } from './sampling.js'

type Tensor = TensorFlow.Tensor

/** Rows of a prefill call: few counts, so that few functions are compiled. */
const PREFILL_ROWS = 16

/** One row per slot. `token` is the last id of the slot, not yet in the cache; `position` is its place. */
type DecodeInputs = Record<'token' | 'position' | 'uniform' | 'temperature' | 'topP' | 'topK', HostTensor>

/** One row per slot, as for decoding. */
type MeasureInputs = Pick<DecodeInputs, 'token' | 'position'>

/** Rows of a prefill: `slot` [rows], `ids` [rows, chunk], `position` [rows] of the first id. */
type PrefillInputs = Record<'slot' | 'ids' | 'position', HostTensor>

/**
 * A decoder compiled by XLA, for small models, whose time goes into many small steps, and for GPUs. Each call computes all
 * slots; for each width of the cache there is one program.
 * @param steps Tokens per call.
 * @param chunk Ids per row of a prefill call.
 */
export function xlaDecoder({ config, vocabulary }: DecoderOptions, steps: number, chunk: number): Decoder {
  const body = (truncate: boolean) => (inputs: Traced<DecodeInputs>, state: DecoderState) =>
    decodeBody(config, vocabulary, steps, truncate, inputs, state)
  const decode = compile('decode', body(false), { xla: true })
  const decodeTruncated = compile('decode truncated', body(true), { xla: true })
  const measure = compile(
    'measure',
    (inputs: Traced<MeasureInputs>, state: DecoderState) => measureBody(config, vocabulary, inputs, state),
    { xla: true },
  )
  const prefill = compile(
    'prefill',
    (inputs: Traced<PrefillInputs>, state: DecoderState) => prefillBody(config, inputs, state),
    { xla: true },
  )
  return {
    tokensPerCall: steps,
    anyWidth: false,
    beside: false,
    independent: false,
    checksDrafts: false,
    reach: (cached, ids) => cached + Math.ceil((ids - 1 - cached) / chunk) * chunk,
    async prefill(state, unread) {
      const slots = state.keys[0]!.shape[0]!
      const served = unread.slice(0, PREFILL_ROWS)
      const rows = served.length > 1 ? Math.min(slots, PREFILL_ROWS) : 1
      const ids = new Int32Array(rows * chunk)
      // A spare row repeats the first one: it writes the same values to the same place.
      const places = Array.from({ length: rows }, (_, row) => served[row] ?? served[0]!)
      places.forEach((place, row) => ids.set(place.ids.slice(0, chunk), row * chunk))
      await prefill(
        {
          slot: int32(places.map(({ slot }) => slot)),
          ids: int32(ids, [rows, chunk]),
          position: int32(places.map(({ position }) => position)),
        },
        state,
      )
      return served.map((row) => Math.min(chunk, row.ids.length))
    },
    async decode(state, sampled, filled) {
      const slots = state.keys[0]!.shape[0]!
      const token = new Int32Array(slots)
      // Every row is written to. One that waits is so just behind what is cached, where nothing is read before its own ids
      // have overwritten it.
      const position = Int32Array.from(filled)
      const uniforms = new Float32Array(slots * steps)
      const temperature = new Float32Array(slots)
      const topP = new Float32Array(slots).fill(1)
      const topK = new Int32Array(slots)
      for (const row of sampled) {
        token[row.slot] = row.token
        position[row.slot] = row.position
        temperature[row.slot] = row.sampling.temperature
        topP[row.slot] = row.sampling.topP
        topK[row.slot] = row.sampling.topK
        for (let step = 0; step < steps; step++)
          uniforms[row.slot * steps + step] = row.uniform(row.position + 1 + step)
      }
      const { topP: anyTopP, topK: anyTopK } = truncationOf(sampled)
      const run = anyTopP || anyTopK ? decodeTruncated : decode
      const result = await run(
        {
          token: int32(token),
          position: int32(position),
          uniform: float32(uniforms, [slots, steps]),
          temperature: float32(temperature),
          topP: float32(topP),
          topK: int32(topK),
        },
        state,
      )
      return sampled.map(({ slot }) => {
        const part = (values: HostTensor): number[] => [...values.data.subarray(slot * steps, (slot + 1) * steps)]
        return { tokens: part(result.tokens), logprobs: part(result.logprobs) }
      })
    },
    async measure(state, rows, filled) {
      const token = new Int32Array(state.keys[0]!.shape[0]!)
      const position = Int32Array.from(filled)
      for (const row of rows) {
        token[row.slot] = row.token
        position[row.slot] = row.position
      }
      const { logprobs } = await measure({ token: int32(token), position: int32(position) }, state)
      return rows.map(({ slot }) =>
        Float32Array.from(logprobs.data.subarray(slot * vocabulary, (slot + 1) * vocabulary)),
      )
    },
  }
}

type Traced<I> = { [K in keyof I]: Tensor }

/** The cache after writing one vector per (row, head, position). */
interface LayerCache {
  k: Tensor
  v: Tensor
}

function decodeBody(
  config: ModelConfig,
  vocabulary: number,
  steps: number,
  truncate: boolean,
  inputs: Traced<DecodeInputs>,
  state: DecoderState,
): { tokens: Tensor; logprobs: Tensor } {
  const weights = readWeights(state.weights)
  const caches = state.keys.map((keys, i) => ({ k: keys.read(), v: state.values[i]!.read() }))
  const [slots, , width] = state.keys[0]!.shape as [number, number, number]
  const draws = inputs as unknown as DrawInputs
  const layoutsAt = cacheLayouts(config, width)
  const masked = vocabularyMask(config.vocabSize, vocabulary)
  let token = inputs.token
  let position = inputs.position
  const tokens: Tensor[] = []
  const logprobs: Tensor[] = []
  for (let step = 0; step < steps; step++) {
    const where = position.expandDims(1)
    const hidden = layers(config, weights, caches, token.expandDims(1), where, rowIndices(slots), layoutsAt)
    const logits = masked(unembed(config, weights, hidden.reshape([slots, config.hiddenSize])))
    const uniform = inputs.uniform.slice([0, step], [slots, 1]).squeeze([1])
    const drawn = draw(logits, { ...draws, uniform }, { topP: truncate, topK: truncate })
    tokens.push(drawn.token)
    logprobs.push(drawn.logprob)
    token = drawn.token
    position = position.add(tf.scalar(1, 'int32'))
  }
  writeBack(state, caches)
  return { tokens: tf.stack(tokens, 1), logprobs: tf.stack(logprobs, 1) }
}

function measureBody(
  config: ModelConfig,
  vocabulary: number,
  { token, position }: Traced<MeasureInputs>,
  state: DecoderState,
): { logprobs: Tensor } {
  const weights = readWeights(state.weights)
  const caches = state.keys.map((keys, i) => ({ k: keys.read(), v: state.values[i]!.read() }))
  const [slots, , width] = state.keys[0]!.shape as [number, number, number]
  const [ids, where] = [token.expandDims(1), position.expandDims(1)]
  const hidden = layers(config, weights, caches, ids, where, rowIndices(slots), cacheLayouts(config, width))
  const logits = unembed(config, weights, hidden.reshape([slots, config.hiddenSize]))
  writeBack(state, caches)
  return { logprobs: logSoftmax(vocabularyMask(config.vocabSize, vocabulary)(logits), vocabulary) }
}

function prefillBody(config: ModelConfig, inputs: Traced<PrefillInputs>, state: DecoderState): Record<string, never> {
  const weights = readWeights(state.weights)
  const whole = state.keys.map((keys, i) => ({ k: keys.read(), v: state.values[i]!.read() }))
  const [rows, chunk] = inputs.ids.shape as [number, number]
  const width = state.keys[0]!.shape[2]!
  const caches = whole.map(({ k, v }) => ({ k: gatherV2(k, inputs.slot, 0), v: gatherV2(v, inputs.slot, 0) }))
  const positions = inputs.position.expandDims(1).add(tf.range(0, chunk, 1, 'int32').expandDims(0))
  layers(config, weights, caches, inputs.ids, positions, rowIndices(rows), cacheLayouts(config, width))
  const merged = whole.map(({ k, v }, i) => ({
    k: scatterRows(k, inputs.slot.expandDims(1), caches[i]!.k),
    v: scatterRows(v, inputs.slot.expandDims(1), caches[i]!.v),
  }))
  writeBack(state, merged)
  return {}
}

function writeBack(state: DecoderState, caches: LayerCache[]): void {
  caches.forEach(({ k, v }, i) => {
    state.keys[i]!.assign(k)
    state.values[i]!.assign(v)
  })
}

/** How new tokens lie in their sequences, and what they see (see `attend`). */
type Layout = Rotation & { mask: Tensor }
/** Layouts of new tokens at positions [rows, time] of a cache. */
type LayoutsAt = (positions: Tensor) => ByKind<Layout>

/** The tables are made once, for all tokens that a call puts into the cache. */
function cacheLayouts(config: ModelConfig, width: number): LayoutsAt {
  const columns = tf.range(0, width, 1, 'int32').reshape([1, 1, width])
  const layoutAt = byKind(config, (rope, window) => {
    return (positions: Tensor): Layout => {
      const [rows, time] = positions.shape as [number, number]
      const last = positions.expandDims(2)
      const before = tf.lessEqual(columns, last)
      const visible =
        window === Infinity ? before : before.logicalAnd(tf.greater(columns, last.sub(tf.scalar(window, 'int32'))))
      const { cos, sin } = ropeAt(rope, config.headDim, positions)
      return {
        cos: cos.expandDims(1),
        sin: sin.expandDims(1),
        mask: tf.sub(1, visible.toFloat()).mul(MASKED).reshape([rows, 1, 1, time, width]),
      }
    }
  })
  return (positions) => ({
    full: layoutAt.full(positions),
    ...(layoutAt.sliding && { sliding: layoutAt.sliding(positions) }),
  })
}

/**
 * All layers over new tokens, whose keys and values are put into `caches` (replaced in place in the array).
 * @param ids int32 [rows, time]
 * @param positions int32 [rows, time]
 * @returns hidden states after the final norm [rows, time, hidden]
 */
function layers(
  config: ModelConfig,
  weights: WeightTensors,
  caches: LayerCache[],
  ids: Tensor,
  positions: Tensor,
  rows: Tensor,
  layoutsAt: LayoutsAt,
): Tensor {
  const [count, time] = ids.shape as [number, number]
  const places = cachePlaces(rows, positions, config.kvHeads)
  const flat = (y: Tensor): Tensor => y.reshape([count * config.kvHeads * time, config.headDim])
  return runLayers(config, weights, ids, layoutsAt(positions), (layer, projected, { mask, ...rotation }) => {
    const { q, k, v } = perHead(config, projected, rotation)
    const cache = caches[layer]!
    const seen = { k: scatterRows(cache.k, places, flat(k)), v: scatterRows(cache.v, places, flat(v)) }
    caches[layer] = seen
    return attend(config, { q, ...seen }, mask)
  })
}

/** [row, head, position] of every new key, int32 [rows * heads * time, 3]. */
function cachePlaces(rows: Tensor, positions: Tensor, heads: number): Tensor {
  const [count, time] = positions.shape as [number, number]
  const shape = [count, heads, time]
  const spread = (x: Tensor, as: number[]): Tensor => tf.broadcastTo(x.reshape(as), shape)
  const head = tf.range(0, heads, 1, 'int32')
  const parts = [spread(rows, [count, 1, 1]), spread(head, [1, heads, 1]), spread(positions, [count, 1, time])]
  return tf.stack(parts, 3).reshape([count * heads * time, 3])
}

function rowIndices(count: number): Tensor {
  return tf.range(0, count, 1, 'int32')
}
