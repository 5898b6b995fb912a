import { availableMemory } from '../host/available-memory.js'
import { queriesAtOnce } from '../model/chunked-attention.js'
import type { ModelConfig } from '../model/config.js'
import { ofLayer } from '../model/forward.js'
import { keptBytes, keptValues } from '../model/trained-layers.js'
import { BLOCK_BYTES } from '../model/target-logprobs.js'
import { expectedShapes, parameterCount, valueCount } from '../model/weight-names.js'
import { native } from '../tensor/runtime.js'
import type { Microbatch } from './microbatch.js'

/** What decides how much memory a training takes. */
export interface MemorySetup {
  config: ModelConfig
  optimizerStates: 'float32' | '8-bit'
  /** How a second, frozen copy of the weights is kept; `none` where the algorithm needs none. */
  reference: 'float32' | 'bfloat16' | 'none'
  /** Whether matrix products are in bfloat16. */
  bfloat16: boolean
  /** Whether a second copy of what is trained learns beside it: PPO's critic. Default false. */
  critic?: boolean
  /** Number of values that are trained. Default: all of the model's. */
  trained?: number
}

/** The shape of one microbatch, padding included. */
export interface MicrobatchShape {
  rows: number
  time: number
  /** Tokens that are trained. */
  targets: number
}

/** Bytes that stay from one step to the next. */
export interface StandingMemory {
  /** The policy, float32. */
  weights: number
  /** Accumulated gradients, float32. */
  gradients: number
  /** Adam's two moments: 8 bytes a value, or 2 and a scale for each block of 256. */
  moments: number
  /** The frozen copy. */
  reference: number
  /** Weights, gradients and moments of a critic of its own. */
  critic: number
}

/** Bytes of what the steps of a batch change, copied in float32 (undo.ts): weights and two moments, and a critic's. */
export function undoBytes({ config, trained = parameterCount(config), critic = false }: MemorySetup): number {
  return 3 * FLOAT * trained * (critic ? 2 : 1)
}

/** Bytes that live during one microbatch alone, each part at its largest. */
export interface MicrobatchMemory {
  /** What the backward pass begins each layer with: the layers' inputs. Grows with layers, not with what is in them. */
  layerInputs: number
  /** Products that layers keep for their gradients, as far as `keptBytes` (trained-layers.ts) allows. */
  kept: number
  /** One layer's values and their gradients; scores of attention exist for few queries at a time (chunked-attention.ts). */
  layer: number
  /** Logits of one block of the vocabulary, what the softmax makes of them, and their gradient. */
  logits: number
  /**
   * Gradients of one layer's weights before they are added, or copies of the largest weight: whichever is more. Of frozen
   * weights there are no gradients.
   */
  gradient: number
}

const FLOAT = 4

/**
 * Values of each kind in a layer that live at the same time, forward and backward, where its products were kept, where they
 * are computed once more, and the same below an adapter, whose products are summed up with the weights'. Measured.
 */
const LAYER_COPIES = {
  kept: { hidden: 4, heads: 3, intermediate: 4 },
  again: { hidden: 6, heads: 5, intermediate: 8 },
  adapter: { hidden: 8, heads: 6, intermediate: 12 },
}
const LOGIT_COPIES = 2

/** Bytes that are free for a training; not known of a GPU, whose own memory counts there. */
export const freeBytes = (): number => (native.isUsingGpuDevice() ? Infinity : availableMemory())

/** What stays. */
export function standingMemory(setup: MemorySetup): StandingMemory {
  const { config, optimizerStates, reference } = setup
  const parameters = parameterCount(config)
  const { trained = parameters, critic = false } = setup
  const gradients = FLOAT * trained
  const moments = trained * (optimizerStates === '8-bit' ? 2 + 8 / 256 : 8)
  return {
    weights: FLOAT * parameters,
    gradients,
    moments,
    reference: { none: 0, bfloat16: 2, float32: FLOAT }[reference] * parameters,
    critic: critic ? FLOAT * trained + gradients + moments : 0,
  }
}

/**
 * What one microbatch takes beside. `test/bench/memory-model.ts` compares it with what a process really takes.
 */
export function microbatchMemory({ config, bfloat16, trained }: MemorySetup, shape: MicrobatchShape): MicrobatchMemory {
  const { rows, time, targets } = shape
  const shapes = expectedShapes(config)
  const layerSize = valueCount(ofLayer(shapes, 0))
  const largest = Math.max(...Object.values(shapes).map((weight) => valueCount({ weight })))
  const { hiddenSize, heads, kvHeads, headDim, intermediateSize, layers, vocabSize } = config
  const tokens = rows * time
  const adapter = trained !== undefined
  const products = FLOAT * layers * tokens * keptValues(config)
  const kept = Math.min(keptBytes(adapter), products)
  const copies = LAYER_COPIES[adapter ? 'adapter' : kept < products ? 'again' : 'kept']
  const perToken =
    copies.hidden * hiddenSize + copies.heads * (heads + 2 * kvHeads) * headDim + copies.intermediate * intermediateSize
  // On the CPU they exist for 32 queries of a head.
  const scores = native.isUsingGpuDevice() ? rows * heads * Math.min(queriesAtOnce(time), time) * time : 0
  const weightCopies = bfloat16 ? FLOAT * largest : 0
  return {
    layerInputs: FLOAT * (layers + 3) * tokens * hiddenSize,
    kept,
    layer: FLOAT * (tokens * perToken + scores),
    logits: LOGIT_COPIES * Math.min(BLOCK_BYTES, FLOAT * targets * vocabSize),
    gradient: adapter
      ? weightCopies
      : Math.max((bfloat16 ? FLOAT + 2 : FLOAT) * layerSize, FLOAT * largest + weightCopies),
  }
}

/** Sum of all parts. */
export const totalBytes = (parts: StandingMemory | MicrobatchMemory): number =>
  Object.values({ ...parts }).reduce((a: number, b: number) => a + b, 0)

/** Of free memory, what a training may take: the allocator leaves holes, and others need some too. */
const USABLE = 0.75
/** Larger microbatches are no faster. */
const LARGEST = 4096
export const SMALLEST = 64

/**
 * The largest microbatch, in ids, that fits beside what stays: 4096, 2048, … as long as
 * `standing + microbatch > 0.75 · available`, with one row of all its ids (or of `longest`), of which half are trained.
 * @param available Free bytes before anything of the training is made; the policy's weights are there already.
 * @param longest Ids of the longest sequence to expect.
 * @throws where not even the longest sequence fits, saying what would
 */
export function chooseMicrobatchTokens(setup: MemorySetup, available: number, longest: number): number {
  const { weights, ...rest } = standingMemory(setup)
  const standing = totalBytes({ ...rest, weights: 0 })
  const needed = (tokens: number): number => {
    const time = Math.min(tokens, longest)
    const shape = { rows: Math.max(1, Math.floor(tokens / time)), time, targets: Math.ceil(tokens / 2) }
    return standing + totalBytes(microbatchMemory(setup, shape))
  }
  let tokens = LARGEST
  while (tokens > SMALLEST && needed(tokens) > USABLE * available) tokens /= 2
  if (needed(tokens) <= USABLE * available) return tokens
  throw new Error(
    `train: ${gigabytes(standing)} for gradients, Adam's moments${setup.critic ? ', the critic' : ''} and the reference, beside weights of ` +
      `${gigabytes(weights)}, and one microbatch of ${tokens} ids do not fit: ${gigabytes(available)} are free, of ` +
      `which ${USABLE * 100} % can be used. ${remedies(setup)}`,
  )
}

/** Options that would save memory, with how much. */
function remedies(setup: MemorySetup): string {
  const now = totalBytes(standingMemory(setup))
  const saved = (changes: Partial<MemorySetup>): string =>
    gigabytes(now - totalBytes(standingMemory({ ...setup, ...changes })))
  const ways: string[] = []
  if (setup.optimizerStates === 'float32')
    ways.push(`optimizerStates: '8-bit' saves ${saved({ optimizerStates: '8-bit' })}`)
  if (setup.reference === 'float32') ways.push(`reference: 'bfloat16' saves ${saved({ reference: 'bfloat16' })}`)
  if (setup.critic) ways.push(`critic: { shared: true } saves ${saved({ critic: false })}`)
  ways.push('a smaller model needs less')
  return `${ways.join('; ')}.`
}

/**
 * Refuses a microbatch that cannot fit, before anything is computed: on Linux the process would be killed. A microbatch
 * that is no larger than one that fitted before is let through, for what that one freed is used again.
 */
export function memoryGuard(setup: MemorySetup, available = freeBytes): (batch: Microbatch) => void {
  let largest = 0
  return ({ ids, targets: { shape } }) => {
    const [rows, time] = ids.shape as [number, number]
    check({ rows, time, targets: shape[0]! })
  }
  function check(shape: MicrobatchShape): void {
    const bytes = totalBytes(microbatchMemory(setup, shape))
    if (bytes <= largest) return
    const free = available() + largest
    if (bytes <= free) {
      largest = bytes
      return
    }
    const { rows, time, targets } = shape
    const fits = largestFitting(setup, shape, free)
    throw new Error(
      `training step: a microbatch of ${rows} × ${time} ids, ${targets} of them trained, needs about ${gigabytes(bytes)}, ` +
        `and ${gigabytes(free)} are free; ` +
        (rows > 1
          ? `lower microbatchTokens to ${fits.rows * time || time}`
          : fits.time > 0
            ? `a sequence of ${fits.time} ids would fit`
            : 'free memory, or take a smaller model') +
        '. The weights are as they were',
    )
  }
}

/** Rows that would fit at this length, and the length that would in one row. */
function largestFitting(setup: MemorySetup, shape: MicrobatchShape, free: number): { rows: number; time: number } {
  const fits = (rows: number, time: number): boolean => {
    const targets = Math.ceil((shape.targets * rows * time) / (shape.rows * shape.time))
    return totalBytes(microbatchMemory(setup, { rows, time, targets })) <= free
  }
  let { rows, time } = shape
  while (rows > 0 && !fits(rows, shape.time)) rows--
  while (time > 0 && !fits(1, time)) time = Math.floor(time * 0.9)
  return { rows, time }
}

const gigabytes = (bytes: number): string => `${(bytes / 1e9).toFixed(bytes < 1e9 ? 2 : 1)} GB`
