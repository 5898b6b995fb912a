import type { Dialect } from '../dialect.js'
import { answersWithAliases, idOf, missing, textOf } from '../fields.js'
import type { Row } from '../fields.js'

/** Which column of a user's file holds what; what is left out is looked for under the names that sets commonly use. */
export interface QuestionColumns {
  /** The question itself. */
  question?: string
  /** The accepted answers: a list, or a text that is one answer. */
  answers?: string
  /** What identifies a row. */
  id?: string
  /** Name of the set. */
  dataset?: string
  /** `train`, `dev`, `test`. */
  split?: string
}

/** Names that published sets use, the commonest first. */
const NAMES: Readonly<Record<keyof QuestionColumns, readonly string[]>> = {
  question: ['question', 'Question', 'query', 'problem'],
  answers: ['answers', 'answer', 'Answers', 'Answer', 'possible_answers', 'gold_answers', 'target', 'ground_truth'],
  id: ['id', '_id', 'qid', 'question_id', 'idx', 'ID'],
  dataset: ['dataset', 'data_source'],
  split: ['split'],
}

/**
 * A table of questions and answers: NQ-open, Bamboogle's CSV, R1-Searcher's lines, DPR's tables, and files of the user,
 * whose columns may be named.
 */
export function plainDialect(columns: QuestionColumns = {}): Dialect {
  const column = (row: Row, field: keyof QuestionColumns): string | undefined =>
    columns[field] ?? NAMES[field].find((name) => row[name] !== undefined && row[name] !== null)
  return {
    name: Object.keys(columns).length > 0 ? 'columns' : 'plain',
    matches: (row) => column(row, 'question') !== undefined && column(row, 'answers') !== undefined,
    read(row) {
      const text = (field: 'id' | 'dataset' | 'split'): string | undefined => {
        const name = column(row, field)
        if (name === undefined) return undefined
        const found = idOf(row[name])
        if (found === undefined && columns[field] !== undefined) throw missing(row, name)
        return found
      }
      return {
        id: text('id'),
        dataset: text('dataset'),
        split: text('split'),
        question: textOf(row, column(row, 'question')!),
        goldAnswers: answersWithAliases(row, column(row, 'answers')!),
      }
    },
  }
}
