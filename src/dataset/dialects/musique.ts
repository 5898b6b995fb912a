import type { Dialect, Paragraph } from '../dialect.js'
import { answersWithAliases, idOf, isRow, RowFault, textOf, unique } from '../fields.js'
import type { Row } from '../fields.js'

/** MuSiQue: paragraphs that say whether they support, a chain of smaller questions, aliases beside the answer. */
export const musiqueDialect: Dialect = {
  name: 'musique',
  matches: (row) => 'paragraphs' in row && 'question' in row && ('answer' in row || 'answerable' in row),
  read(row) {
    const paragraphs = rowsOf(row, 'paragraphs').map(paragraphOf)
    const steps = 'question_decomposition' in row ? rowsOf(row, 'question_decomposition') : []
    const chain = steps.flatMap(({ paragraph_support_idx: index }) =>
      paragraphs.filter((each) => each.index === index && typeof index === 'number').map(({ text }) => text),
    )
    const facts = unique(chain.length > 0 ? chain : paragraphs.filter(({ isGold }) => isGold).map(({ text }) => text))
    return {
      id: idOf(row['id']) ?? idOf(row['_id']),
      dataset: 'musique',
      question: textOf(row, 'question'),
      // MuSiQue-Full asks questions that its paragraphs do not answer beside those that they do.
      goldAnswers: row['answerable'] === false ? undefined : answersWithAliases(row, 'answer'),
      ...(facts.length > 0 && { supportingFacts: facts }),
      paragraphs: () => paragraphs.map(({ title, text, isGold }) => ({ title, text, isGold })),
    }
  },
}

/** Facts of the chain that FlashRAG keeps in its metadata, each with the paragraph that supports it. */
export function chainOf(metadata: Row): { supportingFacts: string[]; paragraphs: () => Paragraph[] } | undefined {
  const steps = rowsOf(metadata, 'question_decomposition')
  const paragraphs = steps.flatMap(({ support_paragraph: each }) => (isRow(each) ? [paragraphOf(each)] : []))
  if (paragraphs.length === 0) return undefined
  return {
    supportingFacts: unique(paragraphs.map(({ text }) => text)),
    paragraphs: () => paragraphs.map(({ title, text }) => ({ title, text, isGold: true })),
  }
}

function rowsOf(row: Row, column: string): Row[] {
  const value = row[column]
  if (Array.isArray(value) && value.every(isRow)) return value
  throw new RowFault(`column ${column} must be a list of records, as MuSiQue's is`)
}

function paragraphOf(row: Row): Paragraph & { index: unknown } {
  const text = row['paragraph_text'] ?? row['text']
  if (typeof text !== 'string') throw new RowFault('column paragraphs must hold texts in paragraph_text')
  const title = typeof row['title'] === 'string' ? row['title'] : ''
  return { title, text, isGold: row['is_supporting'] === true, index: row['idx'] }
}
