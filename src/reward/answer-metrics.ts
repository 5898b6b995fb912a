/** ASCII punctuation, as Python's `string.punctuation` lists it: Unicode punctuation stays. */
const PUNCTUATION = /[!"#$%&'()*+,\-./:;<=>?@[\\\]^_`{|}~]/g

/**
 * SQuAD's normalisation: lower case, no ASCII punctuation, no articles, single spaces.
 * @example
 * zs.normalizeAnswer('The  Golden Gate!') // 'golden gate'
 */
export function normalizeAnswer(text: string): string {
  return text
    .toLowerCase()
    .replace(PUNCTUATION, '')
    .replace(/(?<![\p{L}\p{N}_])(a|an|the)(?![\p{L}\p{N}_])/gu, ' ')
    .split(/\s+/u)
    .filter((word) => word !== '')
    .join(' ')
}

/**
 * What is compared. Normalisation leaves nothing of answers that are articles or punctuation alone, such as "A" or "+";
 * those are compared as they stand, for an empty gold answer would be contained in everything.
 */
function comparable(text: string): string {
  return normalizeAnswer(text) || text.trim().toLowerCase()
}

/**
 * 1 where the answer equals a gold answer after normalisation, else 0. No answer and an empty one are 0.
 * @example
 * zs.exactMatch('The Lima.', ['Lima', 'Ciudad de los Reyes']) // 1
 */
export function exactMatch(answer: string | null, goldAnswers: readonly string[]): number {
  const given = comparable(answer ?? '')
  return given !== '' && goldAnswers.some((gold) => comparable(gold) === given) ? 1 : 0
}

/**
 * 1 where the answer contains a gold answer after normalisation, else 0. The paper's code calls this exact match.
 * @example
 * zs.coverExactMatch('Lima, Peru', ['Lima']) // 1
 */
export function coverExactMatch(answer: string | null, goldAnswers: readonly string[]): number {
  const given = comparable(answer ?? '')
  return goldAnswers.some((gold) => comparable(gold) !== '' && given.includes(comparable(gold))) ? 1 : 0
}

/**
 * Bag-of-words F1 after normalisation, in [0, 1], the best over gold answers; 0 where no word is shared.
 * @example
 * zs.f1('the city of Lima', ['Lima']) // 0.5
 */
export function f1(answer: string | null, goldAnswers: readonly string[]): number {
  const given = words(answer ?? '')
  return goldAnswers.reduce((best, gold) => Math.max(best, overlap(given, words(gold))), 0)
}

function words(text: string): string[] {
  const compared = comparable(text)
  return compared === '' ? [] : compared.split(' ')
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
