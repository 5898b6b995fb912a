import type { HostTensor } from '../tensor/host-tensor.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Microbatch } from './microbatch.js'

/** What an update's record says of it. */
export type SamplingDifference = Pick<UpdateRecord, 'samplingLogprobDifferenceMean' | 'samplingLogprobDifferenceMax'>

/** How far log-probabilities that the sampler reported are from what the trainer computes for the same tokens. */
export interface SamplingDifferences {
  /**
   * @param logprobs The trainer's, [targets].
   * @param sequences Log-probabilities that the sampler reported, for each place of each sequence.
   */
  add(batch: Microbatch, logprobs: HostTensor, sequences: readonly { logprobs: readonly number[] }[]): void
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
      origins.forEach(({ sequence, place }, i) => {
        const difference = Math.abs(sequences[sequence]!.logprobs[place]! - data[i]!)
        sum += difference
        largest = Math.max(largest, difference)
      })
      count += origins.length
    },
    result: () =>
      count === 0 ? {} : { samplingLogprobDifferenceMean: sum / count, samplingLogprobDifferenceMax: largest },
  }
}
