import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import type { ModelConfig } from '../model/config.js'
import { byKind, embed, norm, ofLayer, runLayer, unembed } from '../model/forward.js'
import { ropeAt } from '../model/rope.js'
import { vocabularyMask } from '../model/vocabulary-mask.js'
import { readWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { compile } from '../tensor/compile.js'
import { graphFunction } from '../tensor/graph-function.js'
import { float32, int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import type { Variable } from '../tensor/variable.js'
import { cachedAttention } from './cached-attention.js'
import type { Segments } from './cached-attention.js'
import { truncationOf } from './decoder.js'
import type { Decoder, DecoderOptions, DecoderState, DecodingType, Drawn, Unread } from './decoder.js'
import { acceptDraft, checkedLengths } from './drafts.js'
import { draw, logSoftmax } from './sampling.js'
import type { DrawInputs, Truncation } from './sampling.js'

type Tensor = TensorFlow.Tensor

/**
 * Token counts of a call: few, so that few functions are traced. A single token would be multiplied by another kernel, which
 * rounds differently.
 */
const DECODE_COUNTS = [2, 4, 8, 12, 16, 24, 32, 48, 64]
const PREFILL_COUNTS = [16, 64, 128, 256]

/** Calls change the cache that they are made for alone. */
const BESIDE = { beside: true }

/** Slots that one prefill call reads for. */
const PREFILL_SLOTS = 16

/** The tokens of one call, segment by segment, then padding: ids and their places in their conversations, int32 [tokens]. */
type Call = Segments & Record<'ids' | 'places', Tensor>
type Host<T> = { [K in keyof T]: HostTensor }

/**
 * A decoder of plain TensorFlow functions, for large models on the CPU. One function for a layer is all that there is to
 * trace, whatever the model's depth and the cache's width; a call computes the tokens that it is for; and what a token gets
 * is the same, bit for bit, whatever else is computed.
 * @param dtype Of the layers' products. Default float32.
 */
export function graphDecoder({ config, vocabulary }: DecoderOptions, dtype: DecodingType = 'float32'): Decoder {
  const prefill = compile(
    'prefill',
    (call: Call, state: DecoderState) => {
      hiddenStates(config, dtype, call, state)
      return {}
    },
    BESIDE,
  )
  const logitsOf = (call: Call, state: DecoderState): Tensor => {
    const { embed: table, lmHead } = state.weights
    const head = readWeights({ embed: table!, ...(lmHead && { lmHead }) })
    const logits = unembed(config, head, hiddenStates(config, dtype, call, state).squeeze([0]))
    return vocabularyMask(config.vocabSize, vocabulary)(logits)
  }
  const step =
    (truncation: Truncation) =>
    ({ uniform, temperature, topP, topK, ...call }: Call & DrawInputs, state: DecoderState) =>
      draw(logitsOf(call, state), { uniform, temperature, topP, topK }, truncation)
  const measure = compile(
    'measure',
    (call: Call, state: DecoderState) => ({
      logprobs: logSoftmax(logitsOf(call, state), vocabulary),
    }),
    BESIDE,
  )
  const decode = compile('decode', step({ topP: false, topK: false }), BESIDE)
  const decodeTopP = compile('decode top-p', step({ topP: true, topK: false }), BESIDE)
  const decodeTopK = compile('decode top-k', step({ topP: false, topK: true }), BESIDE)
  const decodeBoth = compile('decode top-p and top-k', step({ topP: true, topK: true }), BESIDE)
  const decoderOf = ({ topP, topK }: Truncation) =>
    topP ? (topK ? decodeBoth : decodeTopP) : topK ? decodeTopK : decode
  return {
    tokensPerCall: 1,
    anyWidth: true,
    ...BESIDE,
    independent: true,
    checksDrafts: true,
    reach: (_, ids) => ids - 1,
    async prefill(state, unread) {
      const served = takeTurns(unread)
      const count = countFor(
        served.reduce((sum, { ids }) => sum + ids.length, 0),
        PREFILL_COUNTS,
      )
      await prefill(callOf(served, count, PREFILL_SLOTS), state)
      return served.map(({ ids }) => ids.length)
    },
    async decode(state, rows) {
      const drawn: Drawn[] = []
      const most = DECODE_COUNTS[DECODE_COUNTS.length - 1]!
      for (let first = 0; first < rows.length; first += most) {
        const some = rows.slice(first, first + most)
        const lengths = checkedLengths(
          some.map(({ draft }) => draft),
          (tokens) => countFor(Math.min(tokens, most), DECODE_COUNTS),
        )
        const drafts = some.map(({ draft }, i) => draft.ids.slice(0, lengths[i]))
        const segments = some.map(({ slot, position, token }, i) => ({ slot, position, ids: [token, ...drafts[i]!] }))
        const places = segments.flatMap(({ position, ids }, i) =>
          ids.map((_, t) => ({ ...some[i]!.sampling, uniform: some[i]!.uniform(position + t + 1) })),
        )
        const count = countFor(places.length, DECODE_COUNTS)
        const values = (of: keyof DrawInputs): number[] => Array.from({ length: count }, (_, i) => places[i]?.[of] ?? 1)
        const run = decoderOf(truncationOf(some))
        const { token, logprob } = await run(
          {
            ...callOf(segments, count, count),
            uniform: float32(values('uniform')),
            temperature: float32(values('temperature')),
            topP: float32(values('topP')),
            topK: int32(values('topK')),
          },
          state,
        )
        let start = 0
        for (const draft of drafts) {
          const end = start + 1 + draft.length
          const part = ({ data }: HostTensor): number[] => [...data.subarray(start, end)]
          drawn.push(acceptDraft(draft, { tokens: part(token), logprobs: part(logprob) }))
          start = end
        }
      }
      return drawn
    },
    async measure(state, rows) {
      const measured: Float32Array[] = []
      const most = DECODE_COUNTS[DECODE_COUNTS.length - 1]!
      for (let first = 0; first < rows.length; first += most) {
        const some = rows.slice(first, first + most)
        const count = countFor(some.length, DECODE_COUNTS)
        const segments = some.map(({ slot, position, token }) => ({ slot, position, ids: [token] }))
        const { logprobs } = await measure(callOf(segments, count, count), state)
        some.forEach((_, i) => measured.push(rowOf(logprobs, i, vocabulary)))
      }
      return measured
    },
  }
}

/** All layers over the tokens of a call, [1, tokens, hidden]. */
function hiddenStates(
  config: ModelConfig,
  dtype: DecodingType,
  { ids, places, ...segments }: Call,
  state: DecoderState,
): Tensor {
  const { embed: table, finalNorm } = state.weights
  const layers = byKind(config, (rope, window) => {
    const options = {
      scale: config.attentionScale,
      cap: config.attentionSoftCap ?? 0,
      window: window === Infinity ? 0 : window,
    }
    const run = graphFunction(
      'layer',
      (
        { x, cos, sin, ...at }: Segments & Record<'x' | 'cos' | 'sin', Tensor>,
        layer: { weights: Weights; keys: Variable; values: Variable },
      ) => ({
        y: runLayer(config, readWeights(layer.weights), x, (projected) =>
          cachedAttention(projected, { cos, sin }, layer, at, options),
        ),
      }),
      { bfloat16: dtype === 'bfloat16' },
    )
    const rotation = ropeAt(rope, config.headDim, places)
    return (x: Tensor, index: number): Tensor => {
      const layer = { weights: ofLayer(state.weights, index), keys: state.keys[index]!, values: state.values[index]! }
      return run({ x, ...rotation, ...segments }, layer).y
    }
  })
  let x = embed(config, readWeights({ embed: table! }), ids.expandDims(0))
  for (let i = 0; i < config.layers; i++) x = (config.sliding?.layers[i] ? layers.sliding! : layers.full)(x, i)
  return norm(config, readWeights({ finalNorm: finalNorm! }), 'finalNorm', x)
}

const rowOf = ({ data }: HostTensor, row: number, width: number): Float32Array =>
  Float32Array.from(data.subarray(row * width, (row + 1) * width))

/** As many ids as a prefill call takes, the first ones first. */
function takeTurns(unread: readonly Unread[]): Unread[] {
  let left = PREFILL_COUNTS[PREFILL_COUNTS.length - 1]!
  const served: Unread[] = []
  for (const { slot, position, ids } of unread.slice(0, PREFILL_SLOTS)) {
    if (left === 0) break
    const taken = ids.slice(0, left)
    served.push({ slot, position, ids: taken })
    left -= taken.length
  }
  return served
}

/** The smallest of the counts that holds so many. */
function countFor(wanted: number, counts: readonly number[]): number {
  return counts.find((count) => count >= wanted)!
}

/** Inputs of a call of `count` tokens in `most` segments, padding included. */
function callOf(unread: readonly Unread[], count: number, most: number): Host<Call> {
  const ids = new Int32Array(count)
  const places = new Int32Array(count)
  const [slot, position, start, length] = [0, 1, 2, 3].map(() => new Int32Array(most)) as [
    Int32Array,
    Int32Array,
    Int32Array,
    Int32Array,
  ]
  let next = 0
  unread.forEach((segment, i) => {
    slot[i] = segment.slot
    position[i] = segment.position
    start[i] = next
    length[i] = segment.ids.length
    segment.ids.forEach((id, t) => {
      ids[next] = id
      places[next++] = segment.position + t
    })
  })
  return {
    ids: int32(ids),
    places: int32(places),
    slot: int32(slot),
    position: int32(position),
    start: int32(start),
    count: int32(length),
  }
}
