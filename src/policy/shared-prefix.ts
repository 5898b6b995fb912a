/** Fewer ids are as soon read as copied. */
const WORTH = 16

/** What one conversation may take from another: so many leading ids are the same. */
export interface SharedPrefix<C> {
  other: C
  length: number
}

/**
 * The longest beginning that a conversation has in common with one of others.
 * @param ids Of the conversation; the last one, which decoding reads, is not looked at
 * @param readTo How many ids of another one count
 * @returns undefined where none is long enough to be worth a copy
 */
export function longestPrefix<C extends { ids: readonly number[] }>(
  ids: readonly number[],
  others: readonly C[],
  readTo: (other: C) => number,
): SharedPrefix<C> | undefined {
  let longest: SharedPrefix<C> | undefined
  for (const other of others) {
    const most = Math.min(ids.length - 1, readTo(other))
    let length = 0
    while (length < most && ids[length] === other.ids[length]) length++
    if (length >= WORTH && length > (longest?.length ?? 0)) longest = { other, length }
  }
  return longest
}
