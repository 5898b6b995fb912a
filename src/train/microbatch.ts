import { int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'

/** A sequence of which some tokens are trained on. */
export interface Sequence {
  ids: readonly number[]
  /** Places in `ids` that carry loss; never 0, for nothing predicts the first token. */
  trained: readonly number[]
}

/** Sequences of similar length side by side, padded at the end, with the trained tokens listed flat. */
export interface Microbatch {
  /** int32 [rows, time] */
  ids: HostTensor
  /** int32 [targets]: where in the flattened [rows * time] the prediction of each trained token stands. */
  logitRows: HostTensor
  /** int32 [targets]: the trained tokens. */
  targets: HostTensor
  /** Which token each target is; as many as there are real ones, padding follows them. */
  origins: Origin[]
}

/** Which token a target is. */
export interface Origin {
  sequence: number
  /** Its place in the sequence's ids. */
  place: number
  /** Its number among the sequence's trained tokens. */
  token: number
}

/**
 * The size that rows, lengths and numbers of targets are padded to: the next of four for each doubling (…, 8, 10, 12, 14,
 * 16, 20, …), so that at most a quarter is padding; every size up to 8 is one.
 *
 * Each new combination of the three is traced once. In microbatches of 4096 ids, 200 updates trace fewer than 90 where 20
 * sequences of 250 to 600 ids are learnt from, and fewer than 300 where lengths are anything up to 3000. Sizes as far apart
 * as a quarter allows, three for each doubling, would trace a fifth to a half fewer, but pad 2 to 6 % more in every step;
 * to trace costs about a quarter of one step, once.
 */
export function paddedSize(size: number): number {
  const step = 2 ** Math.max(0, 29 - Math.clz32(size))
  return Math.ceil(size / step) * step
}

/**
 * Groups sequences by length into microbatches of about `tokens` tokens each, so that memory is bounded and little is
 * padded. The order of microbatches is fixed by the sequences alone.
 */
export function toMicrobatches(sequences: readonly Sequence[], tokens: number): Microbatch[] {
  const order = sequences.map((_, i) => i).sort((a, b) => sequences[a]!.ids.length - sequences[b]!.ids.length || a - b)
  const batches: Microbatch[] = []
  for (let next = 0; next < order.length;) {
    // Sorted by length, so the last member decides the padded length.
    let count = 1
    let time = paddedSize(sequences[order[next]!]!.ids.length)
    while (next + count < order.length) {
      const wider = paddedSize(sequences[order[next + count]!]!.ids.length)
      if (paddedSize(count + 1) * wider > tokens) break
      time = wider
      count++
    }
    batches.push(microbatch(sequences, order.slice(next, next + count), paddedSize(count), time))
    next += count
  }
  return batches
}

function microbatch(sequences: readonly Sequence[], members: number[], rows: number, time: number): Microbatch {
  const ids = new Int32Array(rows * time)
  const logitRows: number[] = []
  const targets: number[] = []
  const origins: Microbatch['origins'] = []
  members.forEach((sequence, row) => {
    const { ids: sequenceIds, trained } = sequences[sequence]!
    ids.set(sequenceIds, row * time)
    trained.forEach((place, token) => {
      logitRows.push(row * time + place - 1)
      targets.push(sequenceIds[place]!)
      origins.push({ sequence, place, token })
    })
  })
  const padded = paddedSize(Math.max(1, logitRows.length))
  const pad = (values: number[]): Int32Array => {
    const array = new Int32Array(padded)
    array.set(values)
    return array
  }
  return { ids: int32(ids, [rows, time]), logitRows: int32(pad(logitRows)), targets: int32(pad(targets)), origins }
}

/** One value per target, zero on padding. */
export function perTarget(batch: Microbatch, value: (origin: Origin) => number): Float32Array {
  const values = new Float32Array(batch.targets.data.length)
  batch.origins.forEach((origin, i) => (values[i] = value(origin)))
  return values
}
