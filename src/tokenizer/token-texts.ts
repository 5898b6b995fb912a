import type { Tokenizer } from './tokenizer.js'

/** Most tokens that one character is made of: a byte each. */
const LONGEST_CHARACTER = 4

/**
 * The text of each id, so that joined they are the text of all. Where several ids make up one character, it is at the first
 * of them, and the others have none.
 * @throws where an id is not in the vocabulary
 */
export function tokenTexts(tokenizer: Pick<Tokenizer, 'decode'>, ids: readonly number[]): string[] {
  const texts = ids.map(() => '')
  for (let start = 0; start < ids.length;) {
    const length = characterLength(tokenizer, ids, start)
    texts[start] = textAt(tokenizer, ids, start, length)
    start += length
  }
  return texts
}

/** Number of ids from here on that make up whole characters; 1 where none do. */
function characterLength(tokenizer: Pick<Tokenizer, 'decode'>, ids: readonly number[], start: number): number {
  for (let length = 1; length <= LONGEST_CHARACTER && start + length <= ids.length; length++)
    if (!tokenizer.decode(ids.slice(start, start + length)).includes('\uFFFD')) return length
  return 1
}

/** With the id before them: some tokenizers drop a space at the beginning of a text. */
function textAt(tokenizer: Pick<Tokenizer, 'decode'>, ids: readonly number[], start: number, length: number): string {
  const alone = tokenizer.decode(ids.slice(start, start + length))
  if (start === 0) return alone
  const before = tokenizer.decode(ids.slice(start - 1, start))
  const both = tokenizer.decode(ids.slice(start - 1, start + length))
  return both.startsWith(before) && both.endsWith(alone) ? both.slice(before.length) : alone
}
