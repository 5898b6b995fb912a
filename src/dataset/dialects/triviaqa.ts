import type { Dialect } from '../dialect.js'
import { answersOf, idOf, isRow, textOf } from '../fields.js'

/** TriviaQA's original (`Question`, `QuestionId`, `Answer` with `Value` and `Aliases`), and Hugging Face's lower-case copy. */
export const triviaqaDialect: Dialect = {
  name: 'triviaqa',
  matches: (row) => isRow(row['Answer']) || (isRow(row['answer']) && 'aliases' in row['answer']),
  read(row) {
    const upper = isRow(row['Answer'])
    return {
      id: idOf(row[upper ? 'QuestionId' : 'question_id']),
      dataset: 'triviaqa',
      question: textOf(row, upper ? 'Question' : 'question'),
      goldAnswers: answersOf(row, upper ? 'Answer' : 'answer'),
    }
  },
}
