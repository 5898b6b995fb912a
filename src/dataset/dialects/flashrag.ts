import type { Dialect } from '../dialect.js'
import { answersOf, idOf, isRow, textOf } from '../fields.js'
import { contextOf } from './hotpotqa.js'
import { chainOf } from './musique.js'

/** FlashRAG's sets: id, question, golden_answers, and metadata that keeps what the original had beside them. */
export const flashragDialect: Dialect = {
  name: 'flashrag',
  matches: (row) => 'golden_answers' in row,
  read(row) {
    const metadata = isRow(row['metadata']) ? row['metadata'] : {}
    return {
      id: idOf(row['id']),
      question: textOf(row, 'question'),
      goldAnswers: metadata['answerable'] === false ? undefined : answersOf(row, 'golden_answers'),
      ...('supporting_facts' in metadata && 'context' in metadata && contextOf(metadata)),
      ...(Array.isArray(metadata['question_decomposition']) && chainOf(metadata)),
    }
  },
}
