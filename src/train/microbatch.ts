import { int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'

/** A sequence of which some tokens are trained on. */
export interface Sequence {
  ids: readonly number[]
  /** Places in `ids` that carry loss; never 0, for nothing predicts the first token. */
  trained: readonly number[]
}

/** Rows of similar length side by side, padded at the end, with the trained tokens listed flat. */
export interface Microbatch {
  /** int32 [rows, time] */
  ids: HostTensor
  /** int32 [rows, time]: where the sequence of each token begins in its row. Left out where a row is one sequence. */
  starts?: HostTensor
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
 * @param packing True puts several sequences into a row where they fit into the length of the longest; they do not see each
 * other. Default false: each has a row.
 */
export function toMicrobatches(sequences: readonly Sequence[], tokens: number, packing = false): Microbatch[] {
  const rows = packing ? packRows(sequences) : sequences.map((_, i) => [i])
  const lengthOf = (row: readonly number[]): number => row.reduce((sum, i) => sum + sequences[i]!.ids.length, 0)
  const order = rows.map((row) => ({ row, length: lengthOf(row) })).sort((a, b) => a.length - b.length)
  const batches: Microbatch[] = []
  for (let next = 0; next < order.length;) {
    // Sorted by length, so the last member decides the padded length.
    let count = 1
    let time = paddedSize(order[next]!.length)
    while (next + count < order.length) {
      const wider = paddedSize(order[next + count]!.length)
      if (paddedSize(count + 1) * wider > tokens) break
      time = wider
      count++
    }
    const members = order.slice(next, next + count).map(({ row }) => row)
    batches.push(microbatch(sequences, members, paddedSize(count), time))
    next += count
  }
  return batches
}

/** Rows of sequences, none longer than the longest sequence: each goes, the longest first, where least stays free. */
function packRows(sequences: readonly Sequence[]): number[][] {
  const order = sequences.map(({ ids }, i) => ({ i, length: ids.length })).sort((a, b) => b.length - a.length)
  const rows: { members: number[]; free: number }[] = []
  const capacity = order[0]?.length ?? 0
  for (const { i, length } of order) {
    let best: (typeof rows)[number] | undefined
    for (const row of rows) if (row.free >= length && (!best || row.free < best.free)) best = row
    if (!best) rows.push((best = { members: [], free: capacity }))
    best.members.push(i)
    best.free -= length
  }
  return rows.map(({ members }) => members)
}

function microbatch(
  sequences: readonly Sequence[],
  members: readonly (readonly number[])[],
  rows: number,
  time: number,
): Microbatch {
  const ids = new Int32Array(rows * time)
  const starts = new Int32Array(rows * time)
  const logitRows: number[] = []
  const targets: number[] = []
  const origins: Microbatch['origins'] = []
  members.forEach((row, number) => {
    let start = 0
    for (const sequence of row) {
      const { ids: sequenceIds, trained } = sequences[sequence]!
      const first = number * time + start
      ids.set(sequenceIds, first)
      starts.fill(start, first, first + sequenceIds.length)
      trained.forEach((place, token) => {
        logitRows.push(first + place - 1)
        targets.push(sequenceIds[place]!)
        origins.push({ sequence, place, token })
      })
      start += sequenceIds.length
    }
  })
  const padded = paddedSize(Math.max(1, logitRows.length))
  const pad = (values: number[]): Int32Array => {
    const array = new Int32Array(padded)
    array.set(values)
    return array
  }
  return {
    ids: int32(ids, [rows, time]),
    ...(members.some((row) => row.length > 1) && { starts: int32(starts, [rows, time]) }),
    logitRows: int32(pad(logitRows)),
    targets: int32(pad(targets)),
    origins,
  }
}

/** One value per target, zero on padding. */
export function perTarget(batch: Microbatch, value: (origin: Origin) => number): Float32Array {
  const values = new Float32Array(batch.targets.data.length)
  batch.origins.forEach((origin, i) => (values[i] = value(origin)))
  return values
}
