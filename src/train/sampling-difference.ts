import type { HostTensor } from '../tensor/host-tensor.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Microbatch } from './microbatch.js'

/** What an update's record says of it. */
export type SamplingDifference = Pick<UpdateRecord, 'samplingLogprobDifferenceMean' | 'samplingLogprobDifferenceMax'>

/** How far log-probabilities that the sampler reported are from what the trainer computes for the same tokens. */
export interface SamplingDifferences {
  /**
   * @param logprobs The trainer's, [targets].
   * @param sequences With the log-probabilities that the sampler reported, for each trained token; NaN where it reported none.
   */
  add(batch: Microbatch, logprobs: HostTensor, sequences: readonly { samplerLogprobs: readonly number[] }[]): void
  /** Of all tokens so far; empty where there was none. */
  result(): SamplingDifference
}

/** Begins with no token. */
export function samplingDifferences(): SamplingDifferences {
  let count = 0
  let sum = 0
  let largest = 0
  return {
    add({ origins }, { data }, sequences) {
      origins.forEach(({ sequence, token }, i) => {
        const difference = Math.abs(sequences[sequence]!.samplerLogprobs[token]! - data[i]!)
        if (Number.isNaN(difference)) return
        sum += difference
        largest = Math.max(largest, difference)
        count++
      })
    },
    result: () =>
      count === 0 ? {} : { samplingLogprobDifferenceMean: sum / count, samplingLogprobDifferenceMax: largest },
  }
}
