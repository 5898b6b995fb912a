/** The words of a text, in lower case: runs of letters and digits of any script. */
export const wordsOf = (text: string): string[] => text.toLowerCase().match(/[\p{L}\p{M}\p{N}]+/gu) ?? []

/** Pairs of neighbouring words. */
export const pairsOf = (words: readonly string[]): string[] => words.slice(1).map((word, i) => `${words[i]!} ${word}`)

/** Three characters in a row, as they stand: letters of either case, signs, and one blank for white space of any length. */
export function trigramsOf(text: string): string[] {
  const letters = [...` ${text.replace(/\s+/g, ' ').trim()} `]
  return letters.slice(2).map((letter, i) => letters[i]! + letters[i + 1]! + letter)
}

/** How often each item occurs. */
export function countsOf(items: Iterable<string>): Map<string, number> {
  const counts = new Map<string, number>()
  for (const item of items) counts.set(item, (counts.get(item) ?? 0) + 1)
  return counts
}
