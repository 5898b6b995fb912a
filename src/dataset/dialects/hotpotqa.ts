import type { Dialect, Paragraph, RawQuestion } from '../dialect.js'
import { answersWithAliases, idOf, isRow, missing, RowFault, textOf } from '../fields.js'
import type { Row } from '../fields.js'

/**
 * HotpotQA and 2WikiMultiHopQA: paragraphs as `[title, [sentence, …]]`, supporting facts as `[title, sentence number]`; in
 * Hugging Face's layout as columns (`title`, `sentences`, `sent_id`); in some copies as JSON in a text.
 */
export const hotpotDialect: Dialect = {
  name: 'hotpotqa',
  matches: (row) => 'supporting_facts' in row && 'context' in row && 'question' in row,
  read(row) {
    return {
      id: idOf(row['_id']) ?? idOf(row['id']),
      dataset: row['evidences'] !== undefined || TWO_WIKI.has(row['type']) ? '2wikimultihopqa' : 'hotpotqa',
      question: textOf(row, 'question'),
      goldAnswers: answersWithAliases(row, 'answer'),
      ...contextOf(row),
    }
  },
}

/** Kinds of question that only 2WikiMultiHopQA has. */
const TWO_WIKI = new Set<unknown>(['compositional', 'inference', 'bridge_comparison'])

/** Paragraphs and facts of a row, or of the metadata that FlashRAG keeps of it. */
export function contextOf(row: Row): Pick<RawQuestion, 'supportingFacts' | 'paragraphs'> {
  const context = pairs(row, 'context', 'sentences').map(([title, sentences]) => {
    if (Array.isArray(sentences) && sentences.every((each) => typeof each === 'string')) return { title, sentences }
    throw new RowFault(`column context must hold lists of sentences, got ${typeof sentences} for ${title}`)
  })
  const facts = pairs(row, 'supporting_facts', 'sent_id')
  const gold = new Set(facts.map(([title]) => title))
  // Some facts of HotpotQA name a sentence that its paragraph does not have.
  const found = facts.flatMap(([title, number]) => {
    const sentence = context.find((each) => each.title === title)?.sentences[number as number]
    return sentence === undefined || sentence.trim() === '' ? [] : [sentence.trim()]
  })
  return {
    ...(found.length > 0 && { supportingFacts: found }),
    paragraphs: () =>
      context.map(({ title, sentences }): Paragraph => ({ title, text: join(sentences), isGold: gold.has(title) })),
  }
}

/** HotpotQA's sentences begin with a space, 2WikiMultiHopQA's do not. */
const join = (sentences: readonly string[]): string =>
  sentences.join(sentences.slice(1).some((each) => each.startsWith(' ')) ? '' : ' ')

/** A list of titles with something each, in any of the three layouts. */
function pairs(row: Row, column: string, other: string): [string, unknown][] {
  const given = row[column]
  if (given === undefined || given === null) throw missing(row, column)
  const value: unknown = typeof given === 'string' ? parse(given, column) : given
  if (isRow(value)) {
    const titles = value['title']
    const others = value[other]
    if (Array.isArray(titles) && Array.isArray(others) && titles.length === others.length) {
      return titles.map((title: unknown, i) => [String(title), others[i]])
    }
  }
  if (Array.isArray(value) && value.every((each) => Array.isArray(each) && typeof each[0] === 'string')) {
    return (value as [string, unknown][]).map(([title, second]) => [title, second])
  }
  throw new RowFault(`column ${column} must hold titles and ${other}, as HotpotQA's does`)
}

function parse(text: string, column: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new RowFault(`column ${column} holds a text that is not JSON`)
  }
}
