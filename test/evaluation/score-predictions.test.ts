import { expect, it } from 'vitest'
import { scorePredictions } from '../../src/evaluation/score-predictions.js'
import { score } from '../../src/cli/score.js'
import { readJsonl } from '../../src/file/jsonl.js'
import { scoreSchema } from '../../src/schema/record-schemas.js'
import { jsonl, writeFixture } from '../dataset/write-fixture.js'

const rows = [
  { id: 'q1', data_source: 'tq', prediction: 'the Lima', golden_answers: ['Lima'] },
  { id: 'q2', data_source: 'tq', prediction: 'Lima, Peru', golden_answers: ['Lima'] },
  { id: 'q3', data_source: 'tq', prediction: null, golden_answers: ['Lima'] },
]

it('predictions with their gold answers are scored by every metric', async () => {
  const scores = await scorePredictions(await writeFixture('p.jsonl', jsonl(...rows)), { method: 'mine' })
  expect(scores).toMatchObject([
    { method: 'mine', dataset: 'triviaqa', questionId: 'q1', em: 1, coverEm: 1, f1: 1, paperEm: 1, answered: 1 },
    { questionId: 'q2', em: 0, coverEm: 1, paperEm: 1, answered: 1 },
    { questionId: 'q3', answer: null, em: 0, coverEm: 0, f1: 0, paperEm: 0, answered: 0 },
  ])
})

it('gold answers are found by id; trajectories and tables are scored too', async () => {
  const questions = [{ id: 'q1', dataset: 'nq', question: 'q?', goldAnswers: ['Lima'] }]
  const table = await writeFixture('p.csv', 'id,pred\nq1,Lima\n')
  expect(await scorePredictions(table, { questions })).toMatchObject([{ dataset: 'nq', em: 1 }])
  const trajectory = { question: questions[0], answer: 'Lima', searches: 2 }
  const failed = { ...trajectory, failure: { boundary: 'search', message: 'no network' } }
  const saved = await writeFixture('t.jsonl', jsonl(trajectory, failed))
  expect(await scorePredictions(saved)).toMatchObject([
    { dataset: 'nq', em: 1, searches: 2 },
    { em: 0, answer: null, failure: 'no network' },
  ])
})

it.each([
  [{ golden_answers: ['a'] }, 'line 1: there is no prediction; the columns are golden_answers'],
  [
    { prediction: 'a' },
    'line 1: there are no gold answers, here or in questions by its id; the columns are prediction',
  ],
  [{ prediction: ['a'], golden_answers: ['a'] }, 'column prediction must be a text, or null for no answer, got ["a"]'],
  [{ prediction: 'a', golden_answers: [] }, 'column golden_answers holds no answer that is not empty'],
])('%j is refused', async (row, message) => {
  await expect(scorePredictions(await writeFixture('bad.jsonl', jsonl(row)))).rejects.toThrow(message)
})

it('the command prints a table and writes the scores', async () => {
  const out = await writeFixture('scores.jsonl', '')
  const printed = await score(await writeFixture('p.jsonl', jsonl(...rows)), { out })
  expect(printed.split('\n')).toEqual([
    "method       set            questions  answered      EM     95 % interval  cover EM      F1  paper's EM",
    'predictions  triviaqa               3    0.6667  0.3333  0.0615 to 0.7923    0.6667  0.5556      0.6667',
    'predictions  average (all)          3    0.6667  0.3333  0.0615 to 0.7923    0.6667  0.5556      0.6667',
  ])
  expect(await readJsonl(out, scoreSchema)).toHaveLength(3)
})
