import { setImmediate } from 'node:timers/promises'

/** A document to be found, by the words of its title and its text. */
export interface IndexedDocument {
  /** Its id in its corpus. Default none. */
  id?: string
  /** Default none. */
  title?: string
  /** What is searched, with the title. */
  text: string
  /** What else is known of it; it comes with the document that is found. Default none. */
  metadata?: Record<string, unknown>
}

/**
 * Which documents hold a term, and what it adds to their score, in compressed sparse rows: term `t` has the entries
 * from `offsets[t]` up to `offsets[t + 1]`, in the order of the documents.
 */
export interface Bm25Index {
  /** Number of each term. */
  terms: ReadonlyMap<string, number>
  offsets: Uint32Array
  documents: Int32Array
  scores: Float32Array
}

/** The words of all documents one after the other, as numbers of terms. */
interface Words {
  terms: Map<string, number>
  blocks: Uint32Array[]
  /** Number of words of each document. */
  lengths: Uint32Array
  /** Number of documents that hold each term. */
  frequencies: number[]
}

/** How long the event loop may wait. */
const SLICE_MS = 10
/** Words that are counted between two looks at the clock. Memory touched for the first time makes them slow. */
const BLOCK = 1 << 12
/** Characters of a text that are read between two looks at the clock: one document may be a book. */
const PIECE = 1 << 16

const WORD = /[\p{L}\p{N}_]+/gu
const NO_WORD = /[^\p{L}\p{N}_]/gu

/** Lower-case words of letters, digits and underscores; single characters count. */
export function tokenize(text: string): string[] {
  return text.toLowerCase().match(WORD) ?? []
}

/**
 * Makes the index in slices of some milliseconds, so that timers and messages are served meanwhile.
 * @param onRead Called after each slice with the number of documents that have been read.
 */
export async function buildBm25Index(
  documents: readonly IndexedDocument[],
  k1: number,
  b: number,
  onRead: (documents: number) => void,
): Promise<Bm25Index> {
  const slices = createSlices()
  const words = await readWords(documents, slices, onRead)
  await slices.next()
  const index = await countWords(words, slices)
  await slices.next()
  await scoreCounts(index, words, { k1, b }, slices)
  return index
}

async function readWords(
  documents: readonly IndexedDocument[],
  slices: Slices,
  onRead: (documents: number) => void,
): Promise<Words> {
  const terms = new Map<string, number>()
  const blocks: Uint32Array[] = []
  const lengths = new Uint32Array(documents.length)
  const frequencies: number[] = []
  const lastHolders: number[] = []
  let block = new Uint32Array(0)
  let used = 0
  for (const [document, { title = '', text }] of documents.entries()) {
    for (const words of tokenizeInPieces(`${title} ${text}`)) {
      for (const word of words) {
        let term = terms.get(word)
        if (term === undefined) {
          term = terms.size
          terms.set(copyOf(word), term)
          frequencies.push(0)
          lastHolders.push(-1)
        }
        if (lastHolders[term] !== document) {
          lastHolders[term] = document
          frequencies[term]!++
        }
        if (used === block.length) {
          blocks.push((block = new Uint32Array(BLOCK)))
          used = 0
        }
        block[used++] = term
      }
      lengths[document]! += words.length
      if (slices.isOver()) {
        onRead(document)
        await slices.next()
      }
    }
  }
  if (blocks.length > 0) blocks.push(blocks.pop()!.subarray(0, used))
  return { terms, blocks, lengths, frequencies }
}

/** The index with the number of times that a document holds a term in the place of its score. */
async function countWords({ terms, blocks, lengths, frequencies }: Words, slices: Slices): Promise<Bm25Index> {
  const offsets = new Uint32Array(terms.size + 1)
  for (let term = 0; term < terms.size; term++) offsets[term + 1] = offsets[term]! + frequencies[term]!
  // A large array may start a collection of garbage, which takes a slice of its own.
  await slices.next()
  const documents = new Int32Array(offsets[terms.size]!)
  await slices.next()
  const scores = new Float32Array(documents.length)
  await slices.next()
  const ends = offsets.slice(0, terms.size)
  const lastHolders = new Int32Array(terms.size).fill(-1)
  let document = -1
  let left = 0
  for (const block of blocks) {
    for (let i = 0; i < block.length; i++) {
      while (left === 0) left = lengths[++document]!
      left--
      const term = block[i]!
      if (lastHolders[term] !== document) {
        lastHolders[term] = document
        documents[ends[term]!++] = document
      }
      scores[ends[term]! - 1]!++
    }
    if (slices.isOver()) await slices.next()
  }
  return { terms, offsets, documents, scores }
}

async function scoreCounts(
  { terms, offsets, documents, scores }: Bm25Index,
  { lengths, frequencies }: Words,
  { k1, b }: { k1: number; b: number },
  slices: Slices,
): Promise<void> {
  const average = lengths.reduce((sum, length) => sum + length, 0) / lengths.length
  const norms = Float64Array.from(lengths, (length) => k1 * (1 - b + (b * length) / average))
  await slices.next()
  for (let term = 0; term < terms.size; term++) {
    const frequency = frequencies[term]!
    const rarity = Math.log(1 + (lengths.length - frequency + 0.5) / (frequency + 0.5))
    for (let i = offsets[term]!; i < offsets[term + 1]!; i++) {
      const count = scores[i]!
      scores[i] = (rarity * count) / (count + norms[documents[i]!]!)
    }
    if (slices.isOver()) await slices.next()
  }
}

function* tokenizeInPieces(text: string): Generator<string[]> {
  const lower = text.toLowerCase()
  for (let from = 0; from < lower.length;) {
    let to = lower.length
    if (from + PIECE < to) {
      // Not within a word.
      NO_WORD.lastIndex = from + PIECE
      to = NO_WORD.exec(lower)?.index ?? to
    }
    yield lower.slice(from, to).match(WORD) ?? []
    from = to
  }
}

/** A part of a string holds on to the whole one: a word would keep its document's text. */
const copyOf = (word: string): string => Buffer.from(word).toString()

export interface Slices {
  isOver(): boolean
  /** Lets the event loop go round once. */
  next(): Promise<void>
}

/** Cuts long work, so that timers and messages are served between. */
export function createSlices(): Slices {
  let began = performance.now()
  return {
    isOver: () => performance.now() - began > SLICE_MS,
    async next() {
      await setImmediate()
      began = performance.now()
    },
  }
}
