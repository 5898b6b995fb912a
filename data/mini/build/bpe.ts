// A byte-level BPE trainer (Sennrich et al. 2016), for the mini world's small vocabulary; there is none in the
// JavaScript packages. Writes tokenizer.json in the format of Hugging Face's tokenizers.

/** Words of a text as the tokenizer splits them: letters with the space before them, single digits, the rest. */
export const SPLIT = "'s| ?\\p{L}+| ?\\p{N}| ?[^\\s\\p{L}\\p{N}]+|\\s+"

/** GPT-2's printable stand-ins for bytes. */
export function byteAlphabet(): string[] {
  const printable = [range(33, 126), range(161, 172), range(174, 255)].flat()
  let next = 256
  return range(0, 255).map((byte) => String.fromCodePoint(printable.includes(byte) ? byte : next++))
}

/** @param size Number of ids, `special` included. */
export function trainTokenizer(texts: Iterable<string>, size: number, special: readonly string[]): object {
  const alphabet = byteAlphabet()
  const counts = countWords(texts, alphabet)
  const words = [...counts].map(([word, count]) => ({ parts: [...word], count }))
  const vocabulary = [...special, ...[...alphabet].sort()]
  const merges: [string, string][] = []
  while (vocabulary.length < size) {
    const best = likeliestPair(words)
    if (!best) throw new Error(`tokenizer: the texts give only ${vocabulary.length} ids, ${size} were asked for`)
    merges.push(best)
    vocabulary.push(best.join(''))
    for (const word of words) mergeIn(word.parts, best)
  }
  return tokenizerJson(vocabulary, merges, special)
}

function countWords(texts: Iterable<string>, alphabet: string[]): Map<string, number> {
  const counts = new Map<string, number>()
  const pattern = new RegExp(SPLIT, 'gu')
  const encoder = new TextEncoder()
  for (const text of texts) {
    for (const [word] of text.matchAll(pattern)) {
      const bytes = [...encoder.encode(word)].map((byte) => alphabet[byte]!).join('')
      counts.set(bytes, (counts.get(bytes) ?? 0) + 1)
    }
  }
  return counts
}

function likeliestPair(words: { parts: string[]; count: number }[]): [string, string] | undefined {
  const pairs = new Map<string, number>()
  for (const { parts, count } of words) {
    for (let i = 1; i < parts.length; i++) {
      const key = `${parts[i - 1]} ${parts[i]}`
      pairs.set(key, (pairs.get(key) ?? 0) + count)
    }
  }
  let best: string | undefined
  let highest = 1
  for (const [key, count] of pairs) {
    if (count > highest || (count === highest && best !== undefined && key < best)) [best, highest] = [key, count]
  }
  return best?.split(' ') as [string, string] | undefined
}

function mergeIn(parts: string[], [left, right]: [string, string]): void {
  for (let i = 0; i + 1 < parts.length; i++) {
    if (parts[i] === left && parts[i + 1] === right) parts.splice(i, 2, left + right)
  }
}

function tokenizerJson(vocabulary: string[], merges: [string, string][], special: readonly string[]): object {
  const byteLevel = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: false, use_regex: false }
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: special.map((content, id) => ({
      id,
      content,
      single_word: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
      special: content === special[0],
    })),
    normalizer: null,
    pre_tokenizer: {
      type: 'Sequence',
      pretokenizers: [{ type: 'Split', pattern: { Regex: SPLIT }, behavior: 'Isolated', invert: false }, byteLevel],
    },
    post_processor: null,
    decoder: byteLevel,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(vocabulary.map((token, id) => [token, id])),
      merges,
    },
  }
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from + 1 }, (_, i) => from + i)
}
