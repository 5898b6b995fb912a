import type { Dialect } from '../dialect.js'
import { idOf, isRow, RowFault, textOf, unique } from '../fields.js'

/** KILT: the question as `input`, the answers among the entries of `output`. */
export const kiltDialect: Dialect = {
  name: 'kilt',
  matches: (row) => 'input' in row && Array.isArray(row['output']),
  read(row) {
    const output = (row['output'] as unknown[]).filter(isRow)
    const answers = output.flatMap(({ answer }) => (typeof answer === 'string' && answer.trim() !== '' ? [answer] : []))
    if (answers.length === 0) throw new RowFault('column output holds no answer that is not empty')
    return { id: idOf(row['id']), question: textOf(row, 'input'), goldAnswers: unique(answers) }
  },
}
