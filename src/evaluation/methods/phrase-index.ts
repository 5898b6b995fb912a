import { setImmediate as turn } from 'node:timers/promises'
import { withProgress } from '../../host/progress.js'
import type { IndexedDocument } from '../../search/bm25-index.js'
import { neutralize } from '../../search/neutralize.js'
import type { Tokenizer } from '../../tokenizer/tokenizer.js'
import { MARKS } from './retro-marks.js'

/** Most tokens of a phrase that the index can look up. */
const LONGEST = 8
/** Marks the end of a document in the list of all tokens: no phrase goes over it. */
const END = -1

/** Places of a phrase: from `low` up to, but not including, `high` in the order of the index. */
export interface PhraseRange {
  low: number
  high: number
}

/** All phrases of a corpus, in tokens of one tokenizer: what may follow a phrase, and how often it is where. */
export interface PhraseIndex {
  readonly documents: readonly IndexedDocument[]
  /** Tokens of a document, its title first. */
  tokensOf(document: number): Int32Array
  /** All places. */
  readonly everywhere: PhraseRange
  /** Places of a phrase one token longer; undefined where the corpus does not hold it. `length` is that of the phrase so far. */
  follow(range: PhraseRange, length: number, id: number): PhraseRange | undefined
  /** Ids that follow a phrase of this length somewhere. `ends` where a document ends with it. */
  continuations(range: PhraseRange, length: number): { ids: number[]; ends: boolean }
  /** How often a phrase stands in each document that holds it. */
  frequencies(range: PhraseRange): Map<number, number>
}

/**
 * Indexes a corpus for `retroLlmMethod`: which tokens may follow which, so that a model can be held to what documents say. The
 * index is made in small steps, so that other work can run meanwhile. It holds 12 bytes a token.
 * @param tokenizer That of the policy.
 * @throws where there are no documents
 * @example
 * const documents = await zs.readDocuments('wiki18.jsonl')
 * const index = await zs.buildPhraseIndex(policy.tokenizer, documents)
 * const method = zs.retroLlmMethod(policy, { index, searchEngine: engine, untrained: true })
 */
export async function buildPhraseIndex(
  tokenizer: Tokenizer,
  documents: readonly IndexedDocument[],
): Promise<PhraseIndex> {
  if (documents.length === 0) throw new Error('phrase index: there must be at least one document, got none')
  const corpus = [...documents]
  const total = corpus.length
  return withProgress({ title: 'buildPhraseIndex', unit: 'documents', total }, async (report) => {
    const texts: Int32Array[] = []
    for (const { title, text } of corpus) {
      const whole = title === undefined || title === '' ? text : `${title}\n${text}`
      // What a document holds of marks and special tokens must not be written as such.
      const plain = neutralize(neutralize(whole, tokenizer), { specialTokens: MARKS })
      texts.push(Int32Array.from(tokenizer.encode(plain)))
      if (texts.length % 200 === 0) {
        report(texts.length)
        await turn()
      }
    }
    return indexOf(corpus, texts, tokenizer.vocabSize)
  })
}

async function indexOf(
  documents: readonly IndexedDocument[],
  texts: readonly Int32Array[],
  vocabulary: number,
): Promise<PhraseIndex> {
  const size = texts.reduce((sum, { length }) => sum + length + 1, 0)
  const tokens = new Int32Array(size).fill(END)
  const owner = new Int32Array(size)
  let at = 0
  texts.forEach((text, document) => {
    tokens.set(text, at)
    owner.fill(document, at, at + text.length + 1)
    at += text.length + 1
  })
  const places = await sortedPlaces(tokens, vocabulary)

  const tokenAt = (rank: number, offset: number): number => tokens[places[rank]! + offset]!
  /** First rank in a range whose token at an offset is at least this. */
  const lowerBound = ({ low, high }: PhraseRange, offset: number, id: number): number => {
    while (low < high) {
      const middle = (low + high) >> 1
      if (tokenAt(middle, offset) < id) low = middle + 1
      else high = middle
    }
    return low
  }
  const everywhere = { low: 0, high: places.length }

  return {
    documents,
    tokensOf: (document) => texts[document]!,
    everywhere,
    follow(range, length, id) {
      const low = lowerBound(range, length, id)
      const high = lowerBound({ low, high: range.high }, length, id + 1)
      return low < high ? { low, high } : undefined
    },
    continuations(range, length) {
      const ids: number[] = []
      let ends = false
      for (let low = range.low; low < range.high;) {
        const id = tokenAt(low, length)
        if (id === END) ends = true
        else ids.push(id)
        low = lowerBound({ low, high: range.high }, length, id + 1)
      }
      return { ids, ends }
    },
    frequencies({ low, high }) {
      const counts = new Map<number, number>()
      for (let rank = low; rank < high; rank++) {
        const document = owner[places[rank]!]!
        counts.set(document, (counts.get(document) ?? 0) + 1)
      }
      return counts
    },
  }
}

/** Places of all tokens in the order of the phrases that begin there: a suffix array as deep as phrases are long. */
async function sortedPlaces(tokens: Int32Array, vocabulary: number): Promise<Int32Array> {
  const starts = new Int32Array(vocabulary + 1)
  for (const id of tokens) if (id !== END) starts[id + 1]!++
  for (let id = 0; id < vocabulary; id++) starts[id + 1]! += starts[id]!
  const places = new Int32Array(starts[vocabulary]!)
  const next = starts.slice()
  tokens.forEach((id, place) => {
    if (id !== END) places[next[id]!++] = place
  })
  const compare = (a: number, b: number): number => {
    for (let i = 1; i < LONGEST; i++) {
      const [x, y] = [tokens[a + i]!, tokens[b + i]!]
      if (x !== y) return x - y
      if (x === END) break
    }
    return a - b
  }
  let sorted = 0
  for (let id = 0; id < vocabulary; id++) {
    const part = places.subarray(starts[id], starts[id + 1])
    part.sort(compare)
    sorted += part.length
    if (sorted > 20_000) {
      sorted = 0
      await turn()
    }
  }
  return places
}
