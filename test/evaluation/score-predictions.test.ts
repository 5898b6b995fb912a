import { expect, it, vi } from 'vitest'
import { readQuestions } from '../../src/dataset/read-questions.js'
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

it('a question is found by its id in its own file too, and where it may be two, the set must be said', async () => {
  const nq = await writeFixture(
    'nq/test.jsonl',
    jsonl(
      { id: 'test_0', question: 'a?', golden_answers: ['x'] },
      { id: 'test_1', question: 'b?', golden_answers: ['Lima'] },
    ),
  )
  const bare = await writeFixture('musique/dev.jsonl', jsonl({ question: 'c?', answer: 'Quito' }))
  const quiet = { onReport: () => {} }
  const questions = [...(await readQuestions(nq, quiet)), ...(await readQuestions(bare, quiet))]
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => {})
  const read = async (...rows: object[]) =>
    scorePredictions(await writeFixture('p.jsonl', jsonl(...rows)), { questions: [...questions] })
  expect(await read({ id: 'test_1', prediction: 'Lima' }, { id: 0, prediction: 'Quito' })).toMatchObject([
    { dataset: 'nq', questionId: 'nq-test_1', em: 1 },
    { dataset: 'musique', questionId: 'musique-dev-0', em: 1 },
  ])
  expect(warn.mock.calls).toEqual([
    [expect.stringContaining('1 of 3 questions have no prediction, and are not counted')],
  ])
  questions.push({ ...questions[1]!, id: 'triviaqa-test_1', dataset: 'triviaqa' })
  const named = { id: 'test_1', prediction: 'Lima' }
  await expect(read(named)).rejects.toThrow(
    'line 1: id test_1 may be nq-test_1 of nq, triviaqa-test_1 of triviaqa; give',
  )
  expect(await read({ ...named, data_source: 'tq' })).toMatchObject([{ dataset: 'triviaqa', em: 1 }])
  await expect(read({ ...named, id: 'test_9' })).rejects.toThrow(
    'there are no gold answers, and no question has the id test_9',
  )
  warn.mockRestore()
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
