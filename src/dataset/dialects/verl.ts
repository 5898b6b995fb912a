import type { Dialect } from '../dialect.js'
import { answersOf, idOf, isRow, RowFault, textOf } from '../fields.js'
import type { Row } from '../fields.js'
import { datasetName } from '../known-sets.js'

/**
 * Rows that verl trains on, as Search-R1, ZeroSearch, DeepResearcher and SkyRL write them: the answers in
 * `reward_model.ground_truth` (SkyRL: `reward_spec`), the question as a column, in `extra_info`, or at the end of the prompt.
 * `extra_info.index` begins anew in each set, so that the set's name goes before it.
 */
export const verlDialect: Dialect = {
  name: 'verl',
  matches: (row) =>
    isRow(row['reward_model']) || isRow(row['reward_spec']) || ('data_source' in row && 'golden_answers' in row),
  read(row) {
    const extra = isRow(row['extra_info']) ? row['extra_info'] : {}
    const dataset = typeof row['data_source'] === 'string' ? row['data_source'] : undefined
    const index = idOf(extra['index'])
    return {
      id:
        idOf(row['id']) ??
        (dataset !== undefined && index?.startsWith(`${dataset}_`) ? index.slice(dataset.length + 1) : index),
      dataset: dataset === undefined ? undefined : datasetName(dataset),
      split: typeof extra['split'] === 'string' ? extra['split'] : undefined,
      question: questionOf(row, extra),
      goldAnswers: 'golden_answers' in row ? answersOf(row, 'golden_answers') : groundTruth(row),
    }
  },
}

function groundTruth(row: Row): string[] {
  const holder = (isRow(row['reward_model']) ? row['reward_model'] : row['reward_spec']) as Row
  return answersOf(holder, 'ground_truth')
}

function questionOf(row: Row, extra: Row): string {
  if (typeof row['question'] === 'string') return textOf(row, 'question')
  if (typeof extra['question'] === 'string') return textOf(extra, 'question')
  const prompt = row['prompt']
  const messages: unknown[] = Array.isArray(prompt) ? prompt : [{ role: 'user', content: prompt }]
  const last = messages.filter(isRow).findLast(({ role }) => role === 'user')?.['content']
  if (typeof last !== 'string') throw new RowFault('there is no question: neither a column nor a prompt of the user')
  // The instruction comes first, and the question last.
  const question = last.slice(last.lastIndexOf('Question:') + 1 ? last.lastIndexOf('Question:') + 9 : 0).trim()
  return textOf({ prompt: question }, 'prompt')
}
