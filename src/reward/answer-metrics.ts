import { normalizeAnswer } from './normalize-answer.js'
import { trim } from './white-space.js'

/**
 * What is compared. Normalisation leaves nothing of answers that are articles or punctuation alone, such as "A" or "+";
 * those are compared as they stand, for an empty gold answer would be contained in everything.
 */
function comparable(text: string): string {
  return normalizeAnswer(text) || trim(text).toLowerCase()
}

/** Every metric of one answer, each in [0, 1]. */
export interface AnswerScores {
  /** Exact match: 1 where the answer equals a gold answer after normalisation. */
  em: number
  /** 1 where the answer contains a gold answer after normalisation. */
  coverEm: number
  /** Bag-of-words F1, the best over gold answers. */
  f1: number
  /** What the paper's code calls exact match; see `paperScore`. */
  paperEm: number
}

/**
 * Scores an answer by every metric at once: 51,713 answers take a fraction of a second. No answer and an empty one are 0 in
 * all but `paperEm`.
 * @example
 * const { em, coverEm, f1, paperEm } = zs.scoreAnswer('Lima, Peru', ['Lima'])
 */
export function scoreAnswer(answer: string | null, goldAnswers: readonly string[]): AnswerScores {
  const given = comparable(answer ?? '')
  const words = countWords(given)
  const scores = { em: 0, coverEm: 0, f1: 0, paperEm: 0 }
  const paperGiven = answer === null ? PAPER_NO_ANSWER : normalizeAnswer(answer)
  for (const goldAnswer of goldAnswers) {
    const normalized = normalizeAnswer(goldAnswer)
    const gold = normalized || comparable(goldAnswer)
    if (paperGiven.includes(normalized)) scores.paperEm = 1
    if (gold === '' || given === '') continue
    if (given === gold) scores.em = 1
    if (given.includes(gold)) scores.coverEm = 1
    scores.f1 = Math.max(scores.f1, overlap(words, gold.split(' ')))
  }
  return scores
}

/**
 * 1 where the answer equals a gold answer after normalisation, else 0. No answer and an empty one are 0.
 * @example
 * zs.exactMatch('The Lima.', ['Lima', 'Ciudad de los Reyes']) // 1
 */
export const exactMatch = (answer: string | null, goldAnswers: readonly string[]): number =>
  scoreAnswer(answer, goldAnswers).em

/**
 * 1 where the answer contains a gold answer after normalisation, else 0; 0 too for no answer and an empty one.
 * @example
 * zs.coverExactMatch('Lima, Peru', ['Lima']) // 1
 */
export const coverExactMatch = (answer: string | null, goldAnswers: readonly string[]): number =>
  scoreAnswer(answer, goldAnswers).coverEm

/**
 * Bag-of-words F1 after normalisation, in [0, 1], the best over gold answers; 0 where no word is shared.
 * @example
 * zs.f1('the city of Lima', ['Lima']) // 0.5
 */
export const f1 = (answer: string | null, goldAnswers: readonly string[]): number => scoreAnswer(answer, goldAnswers).f1

interface WordCounts {
  length: number
  counts: ReadonlyMap<string, number>
}

function countWords(text: string): WordCounts {
  const words = text === '' ? [] : text.split(' ')
  const counts = new Map<string, number>()
  for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1)
  return { length: words.length, counts }
}

function overlap(answer: WordCounts, gold: readonly string[]): number {
  let shared = 0
  const used = new Map<string, number>()
  for (const word of gold) {
    const there = answer.counts.get(word)
    if (there === undefined) continue
    const before = used.get(word) ?? 0
    if (before >= there) continue
    used.set(word, before + 1)
    shared++
  }
  return shared === 0 ? 0 : (2 * shared) / (answer.length + gold.length)
}

/** What the reference reads where nothing was answered; see `paperAnswer`. */
const PAPER_NO_ANSWER = 'beijing'

/** Scores as the paper's own functions count them. */
export interface PaperScore {
  /** 1 where a gold answer stands in the answer, else 0. */
  em: number
  /** The best F1 over the gold answers, in [0, 1]. */
  f1: number
}

/**
 * The paper's own two scores, for comparisons with its tables: what its code (`em_check` of `qa_em.py`) gives. Its defects,
 * which `scoreAnswer` does not have:
 *
 * | case | here | `scoreAnswer` |
 * |---|---|---|
 * | the answer contains a gold answer ("Paris or London") | `em` is 1 | `em` is 0, `coverEm` 1 |
 * | a gold answer within a word ("in" in "Berlin") | `em` is 1 | `em` is 0, `coverEm` 1 |
 * | a gold answer of which nothing is left ("The", "+") | `em` is 1 for every answer | 1 for that answer alone |
 * | nothing was answered | scored as "Beijing", the example of the prompt | 0 |
 * | `<answer>a <answer>b</answer>` | read as "a <answer>b" (`paperAnswer`) | read as "b" (`extractAnswer`) |
 * | tags in prompt and documents | may answer (`paperAnswer`) | are not read |
 * @example
 * zs.paperScore('Paris or London', ['Paris']) // { em: 1, f1: 0.5 }
 */
export function paperScore(answer: string | null, goldAnswers: readonly string[]): PaperScore {
  const given = answer === null ? PAPER_NO_ANSWER : normalizeAnswer(answer)
  const words = countWords(given)
  const scores = { em: 0, f1: 0 }
  for (const gold of goldAnswers.map(normalizeAnswer)) {
    if (given.includes(gold)) scores.em = 1
    if (gold !== '') scores.f1 = Math.max(scores.f1, overlap(words, gold.split(' ')))
  }
  return scores
}

/**
 * The answer that the paper's code reads out of a whole transcript, prompt and documents included: the last of at least two
 * `<answer>` tags, for the prompt holds two already. Null where there are fewer.
 * @example
 * zs.paperAnswer('Write <answer> and </answer>. Such as <answer> Beijing </answer>. I do not know.') // 'Beijing'
 */
export function paperAnswer(transcript: string): string | null {
  const matches = [...transcript.matchAll(/<answer>([^]*?)<\/answer>/g)]
  return matches.length < 2 ? null : trim(matches.at(-1)![1]!)
}
