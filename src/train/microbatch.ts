import type { ModelConfig } from '../model/config.js'
import { int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { operations, ownRows, rolloutRows } from './rows.js'
import type { Row, Sequence } from './rows.js'

/** Rows of similar length side by side, padded at the end, with the trained tokens listed flat. */
export interface Microbatch {
  /** int32 [rows, time] */
  ids: HostTensor
  /** int32 [rows, time]: where the sequence of each token begins in its row. Left out where a row is one sequence. */
  starts?: HostTensor
  /** int32 [rows]: number of ids at a row's beginning that all of its sequences see. Left out where there are none. */
  shared?: HostTensor
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
 * @param rows What stands side by side (see rows.ts). Default: each sequence has a row.
 */
export function toMicrobatches(
  sequences: readonly Sequence[],
  tokens: number,
  rows: readonly Row[] = ownRows(sequences),
): Microbatch[] {
  const order = [...rows].sort((a, b) => a.length - b.length)
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
    batches.push(microbatch(sequences, order.slice(next, next + count), paddedSize(count), time))
    next += count
  }
  return batches
}

/** Rows behind common prompts differ more in length, so that more is padded and traced: they have to save this much. */
const WORTHWHILE = 0.1

/** Microbatches of rollouts: a prompt is computed once for those that share it, where that saves enough. */
export function rolloutMicrobatches(sequences: readonly Sequence[], config: ModelConfig, tokens: number): Microbatch[] {
  const cost = (batches: readonly Microbatch[]): number =>
    batches.reduce((sum, { ids: { shape } }) => sum + shape[0]! * operations(shape[1]!, config.hiddenSize), 0)
  const own = toMicrobatches(sequences, tokens)
  const shared = toMicrobatches(sequences, tokens, rolloutRows(sequences, config, tokens))
  return cost(shared) < (1 - WORTHWHILE) * cost(own) ? shared : own
}

function microbatch(sequences: readonly Sequence[], members: readonly Row[], rows: number, time: number): Microbatch {
  const ids = new Int32Array(rows * time)
  const starts = new Int32Array(rows * time)
  const sharedIds = new Int32Array(rows)
  const logitRows: number[] = []
  const targets: number[] = []
  const origins: Microbatch['origins'] = []
  members.forEach(({ members: row, shared }, number) => {
    ids.set(sequences[row[0]!]!.ids.slice(0, shared), number * time)
    sharedIds[number] = shared
    let start = shared
    for (const sequence of row) {
      const { ids: sequenceIds, trained } = sequences[sequence]!
      const own = sequenceIds.slice(shared)
      const first = number * time + start
      ids.set(own, first)
      starts.fill(start, first, first + own.length)
      trained.forEach((place, token) => {
        const before = place - 1
        logitRows.push(before < shared ? number * time + before : first + before - shared)
        targets.push(sequenceIds[place]!)
        origins.push({ sequence, place, token })
      })
      start += own.length
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
    ...(members.some(({ members }) => members.length > 1) && { starts: int32(starts, [rows, time]) }),
    ...(members.some(({ shared }) => shared > 0) && { shared: int32(sharedIds, [rows]) }),
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

/** What a compiled loss reads of a microbatch: which tokens of which sequences are trained. */
export type TargetInputs = Pick<Microbatch, 'ids' | 'logitRows' | 'targets' | 'starts' | 'shared'>

export const targetInputs = ({ ids, starts, shared, logitRows, targets }: Microbatch): TargetInputs => ({
  ids,
  ...(starts && { starts }),
  ...(shared && { shared }),
  logitRows,
  targets,
})
