import type { Dialect } from '../dialect.js'
import { answersOf, idOf, textOf } from '../fields.js'

/** PopQA's original: TSV with the accepted answers as a JSON list in a cell. */
export const popqaDialect: Dialect = {
  name: 'popqa',
  matches: (row) => 'possible_answers' in row && 'subj' in row,
  read: (row) => ({
    id: idOf(row['id']),
    dataset: 'popqa',
    question: textOf(row, 'question'),
    goldAnswers: answersOf(row, 'possible_answers'),
  }),
}
