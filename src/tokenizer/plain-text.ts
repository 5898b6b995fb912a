import type { Tokenizer } from './tokenizer.js'

/** The tokens that steer a model: those that its tokenizer calls special, and those that end a generation. */
export interface Specials {
  /** Finds their texts, the longest first; undefined where there are none. */
  pattern: RegExp | undefined
  ids: ReadonlySet<number>
}

const known = new WeakMap<Tokenizer, Specials>()

/** Tags that were only added to the vocabulary, such as `<think>`, are none of them. */
export function specialsOf(tokenizer: Tokenizer): Specials {
  const found = known.get(tokenizer)
  if (found) return found
  const ids = new Set(tokenizer.eosIds)
  const texts = tokenizer.eosIds.map((id) => tokenizer.decode([id]))
  for (const text of tokenizer.specialTokens) {
    const encoded = tokenizer.encode(text)
    if (encoded.length !== 1 || tokenizer.decode(encoded, true) !== '') continue
    ids.add(encoded[0]!)
    texts.push(text)
  }
  const parts = [...new Set(texts)].sort((a, b) => b.length - a.length).map(escapeRegExp)
  const specials = { pattern: parts.length > 0 ? new RegExp(parts.join('|'), 'gu') : undefined, ids }
  known.set(tokenizer, specials)
  return specials
}

const escapeRegExp = (text: string): string => text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')

/**
 * The ids of a text that somebody else wrote: none of them is special, whatever it says. A text that reads like a special
 * token is encoded in pieces.
 * @throws where a single character is a special token
 */
export function encodePlain(tokenizer: Tokenizer, text: string): number[] {
  const { pattern, ids: special } = specialsOf(tokenizer)
  const ids = tokenizer.encode(text)
  if (!ids.some((id) => special.has(id))) return ids
  const characters = [...text]
  if (characters.length < 2)
    throw new Error(`${JSON.stringify(text)} is a special token of the model, and cannot be plain text`)
  const first = pattern ? text.search(pattern) : -1
  const cut =
    first >= 0
      ? first + String.fromCodePoint(text.codePointAt(first)!).length
      : characters.slice(0, characters.length >> 1).join('').length
  // A special token of one character may end the text.
  const end = cut < text.length ? cut : characters.slice(0, -1).join('').length
  return [...encodePlain(tokenizer, text.slice(0, end)), ...encodePlain(tokenizer, text.slice(end))]
}
