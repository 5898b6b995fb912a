import type { Dialect } from '../dialect.js'
import { answersOf, idOf, isRow, RowFault, textOf, unique } from '../fields.js'

/** IRCoT's processed sets: `question_text`, `answers_objects` of spans, `contexts` that say whether they support. */
export const ircotDialect: Dialect = {
  name: 'ircot',
  matches: (row) => 'question_text' in row && 'answers_objects' in row,
  read(row) {
    const objects = row['answers_objects']
    if (!Array.isArray(objects) || !objects.every(isRow)) throw new RowFault('column answers_objects must be a list')
    const contexts = Array.isArray(row['contexts']) ? row['contexts'].filter(isRow) : []
    const paragraphs = contexts.map((each) => ({
      title: typeof each['title'] === 'string' ? each['title'] : '',
      text: textOf(each, 'paragraph_text'),
      isGold: each['is_supporting'] === true,
    }))
    return {
      id: idOf(row['question_id']),
      question: textOf(row, 'question_text'),
      goldAnswers: unique(objects.flatMap((each) => answersOf(each, 'spans'))),
      paragraphs: () => paragraphs,
    }
  },
}
