import type { Document } from '../../schema/document.js'
import type { PhraseIndex, PhraseRange } from './phrase-index.js'

// How RetroLLM finds documents and windows by clues (arXiv 2412.11919, section 3.2).

/** Weight of a clue in a document: (ln(N/CF) + ln(N/DF)) · ln(1 + TF). */
export const clueWeight = (
  documents: number,
  corpusFrequency: number,
  documentFrequency: number,
  inDocument: number,
): number =>
  (Math.log(documents / corpusFrequency) + Math.log(documents / documentFrequency)) * Math.log(1 + inDocument)

/** Clues that stand in the corpus more often than this say nothing. */
const TOO_COMMON = 1000

/** The documents that clues speak for most, best first; of equals the earlier one. */
export function rankByClues(index: PhraseIndex, clues: readonly PhraseRange[], most: number): number[] {
  const scores = new Map<number, number>()
  for (const range of clues) {
    const corpusFrequency = range.high - range.low
    if (corpusFrequency > TOO_COMMON) continue
    const frequencies = index.frequencies(range)
    for (const [document, count] of frequencies) {
      const weight = clueWeight(index.documents.length, corpusFrequency, frequencies.size, count)
      scores.set(document, (scores.get(document) ?? 0) + weight)
    }
  }
  return [...scores]
    .sort(([a, x], [b, y]) => y - x || a - b)
    .slice(0, most)
    .map(([document]) => document)
}

/** Two rankings as one, by 1/r₁ + 2/r₂; of equals the one that stands higher in the first, then in the second. */
export function fuseRanks(first: readonly number[], second: readonly number[], most: number): number[] {
  const rank = (list: readonly number[], document: number): number => {
    const place = list.indexOf(document)
    return place < 0 ? Infinity : place + 1
  }
  const fused = [...new Set([...first, ...second])].map((document) => {
    const [one, two] = [rank(first, document), rank(second, document)]
    return { document, one, two, score: 1 / one + 2 / two }
  })
  const before = (a: number, b: number): number => (a === b ? 0 : a - b)
  fused.sort((a, b) => b.score - a.score || before(a.one, b.one) || before(a.two, b.two))
  return fused.slice(0, most).map(({ document }) => document)
}

/** Documents of an engine as those of the corpus; what the corpus does not hold is left out. */
export function numbersOf(index: PhraseIndex, found: readonly Document[]): number[] {
  const numbers = numbering(index)
  return found.flatMap((document) => numbers.get(nameOf(document)) ?? [])
}

const nameOf = ({ title, text }: { title?: string; text: string }): string => JSON.stringify([title ?? '', text])

const numberings = new WeakMap<PhraseIndex, Map<string, number>>()

function numbering(index: PhraseIndex): Map<string, number> {
  let numbers = numberings.get(index)
  if (!numbers) {
    numbers = new Map()
    for (const [i, document] of index.documents.entries())
      if (!numbers.has(nameOf(document))) numbers.set(nameOf(document), i)
    numberings.set(index, numbers)
  }
  return numbers
}

/** A part of a document: tokens from `start` up to, but not including, `end`. */
export interface Window {
  document: number
  start: number
  end: number
}

/** Around places of phrases, so many tokens on either side; what overlaps is one window, of so many tokens at most. */
export function windowsOf(
  document: number,
  tokens: Int32Array,
  phrases: readonly (readonly number[])[],
  around: number,
  longest: number,
): Window[] {
  const places = phrases.flatMap((phrase) => placesOf(tokens, phrase).map((at) => ({ at, length: phrase.length })))
  places.sort((a, b) => a.at - b.at)
  const windows: Window[] = []
  for (const { at, length } of places) {
    const start = Math.max(0, at - around)
    const end = Math.min(tokens.length, at + length + around)
    const last = windows.at(-1)
    if (last && start <= last.end && end - last.start <= longest) last.end = Math.max(last.end, end)
    else if (!last || end > last.end) windows.push({ document, start, end: Math.min(end, start + longest) })
  }
  return windows.length > 0 ? windows : [{ document, start: 0, end: Math.min(tokens.length, longest) }]
}

function placesOf(tokens: Int32Array, phrase: readonly number[]): number[] {
  const places: number[] = []
  if (phrase.length === 0) return places
  for (let at = tokens.indexOf(phrase[0]!); at >= 0; at = tokens.indexOf(phrase[0]!, at + 1))
    if (phrase.every((id, i) => tokens[at + i] === id)) places.push(at)
  return places
}
