import { containsAnswer } from '../reward/contains-answer.js'
import { normalizeAnswer } from '../reward/normalize-answer.js'
import type { Document } from '../schema/document.js'
import { neutralize } from '../search/neutralize.js'
import { parseDocuments } from '../simulator/parse-documents.js'

/** Documents as a simulator may learn to write them, and what became of the others. */
export interface CleanDocuments {
  texts: string[]
  /** Left out, for a simulator could not be understood that writes so: empty, or with the beginning of another document in it. */
  unreadable: number
  /** Left out, for the list has the same text already. */
  repeated: number
  /** Cut to the wanted length. */
  shortened: number
}

/**
 * The texts of an engine's documents: on one line, with the title in front where the text does not begin with it, harmless, of
 * at most so many words. What `parseDocuments` would not give back as it stands is left out.
 * @param words Infinity keeps them whole.
 */
export function cleanDocuments(
  documents: readonly Document[],
  { goldAnswers, words }: { goldAnswers: readonly string[]; words: number },
): CleanDocuments {
  const clean: CleanDocuments = { texts: [], unreadable: 0, repeated: 0, shortened: 0 }
  const seen = new Set<string>()
  for (const { title, text } of documents) {
    const whole = titled(oneLine(title ?? ''), oneLine(text))
    const short = shorten(whole, words, goldAnswers)
    const key = normalizeAnswer(short)
    if (!isReadable(short)) clean.unreadable++
    else if (seen.has(key)) clean.repeated++
    else {
      seen.add(key)
      clean.texts.push(short)
      if (short !== whole) clean.shortened++
    }
  }
  return clean
}

// Which model will learn from it is not known: what any usual one reads as a command is made harmless.
const oneLine = (text: string): string =>
  neutralize(Buffer.from(text).toString(), {})
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim()

const titled = (title: string, text: string): string =>
  title === '' || text.toLowerCase().startsWith(title.toLowerCase()) ? text : `(${title}) ${text}`

/** As a simulator's text: each document begins with its number. */
export const documentLines = (texts: readonly string[], between = '\n'): string =>
  texts.map((text, i) => `Doc ${i + 1}: ${text}`).join(between)

function isReadable(text: string): boolean {
  const read = parseDocuments(documentLines([text]))
  return read.length === 1 && read[0]!.text === text
}

/** A word that ends a sentence. */
const SENTENCE_END = /[.!?]["'”)\]]*$/u

/**
 * At most so many words: from the beginning or, where the answer stands further behind, around it. They begin and end with a
 * sentence where that is possible.
 */
function shorten(text: string, words: number, goldAnswers: readonly string[]): string {
  const all = text.split(' ')
  if (all.length <= words) return text
  const window = (start: number): string => {
    const cut = all.slice(start, start + words)
    const end = cut.findLastIndex((word, i) => i >= words / 2 && SENTENCE_END.test(word))
    return (end < 0 ? cut : cut.slice(0, end + 1)).join(' ')
  }
  const holds = (start: number): boolean => containsAnswer(window(start), goldAnswers)
  if (!containsAnswer(text, goldAnswers) || holds(0)) return window(0)
  const starts = Array.from({ length: all.length - words + 1 }, (_, start) => start)
  const sentences = starts.filter((start) => start > 0 && SENTENCE_END.test(all[start - 1]!))
  return window(sentences.find(holds) ?? starts.find(holds) ?? 0)
}
