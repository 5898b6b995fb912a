/** ASCII punctuation, as Python's `string.punctuation` lists it: Unicode punctuation stays. */
const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g

/** SQuAD's normalisation: lower case, no ASCII punctuation, no articles, single spaces. */
export function normalizeAnswer(text: string): string {
  return text
    .toLowerCase()
    .replace(PUNCTUATION, '')
    .replace(/(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu, ' ')
    .split(/\s+/u)
    .filter((word) => word !== '')
    .join(' ')
}

/** 1 where the answer equals a gold answer after normalisation, else 0. No answer is 0. */
export function exactMatch(answer: string | null, goldAnswers: readonly string[]): number {
  if (answer === null) return 0
  const own = normalizeAnswer(answer)
  return goldAnswers.some((gold) => normalizeAnswer(gold) === own) ? 1 : 0
}

/** 1 where the answer contains a gold answer after normalisation, else 0. The paper's code calls this exact match. */
export function coverExactMatch(answer: string | null, goldAnswers: readonly string[]): number {
  if (answer === null) return 0
  const own = normalizeAnswer(answer)
  return goldAnswers.some((gold) => own.includes(normalizeAnswer(gold))) ? 1 : 0
}

/** Bag-of-words F1 after normalisation, the best over gold answers; 0 where no word is shared. */
export function f1(answer: string | null, goldAnswers: readonly string[]): number {
  if (answer === null) return 0
  const own = words(answer)
  return Math.max(0, ...goldAnswers.map((gold) => overlap(own, words(gold))))
}

function words(text: string): string[] {
  const normalized = normalizeAnswer(text)
  return normalized === '' ? [] : normalized.split(' ')
}

function overlap(answer: readonly string[], gold: readonly string[]): number {
  const left = new Map<string, number>()
  for (const word of gold) left.set(word, (left.get(word) ?? 0) + 1)
  let shared = 0
  for (const word of answer) {
    const count = left.get(word) ?? 0
    if (count > 0) shared++
    left.set(word, count - 1)
  }
  return shared === 0 ? 0 : (2 * shared) / (answer.length + gold.length)
}
