import { expect, test } from 'vitest'
import { newTrajectory } from '../../src/rollout/new-trajectory.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { trajectoryTable } from '../../src/table/trajectory-table.js'
import { toCsv } from '../../src/table/table-text.js'

const question = {
  id: 'nq-1',
  dataset: 'nq',
  question: 'Capital of Peru?',
  goldAnswers: ['Lima', 'Ciudad de los Reyes'],
}
const documents = [{ title: 'Peru', text: 'Its capital is Lima.', rank: 1 }]
const played: Trajectory = {
  ...newTrajectory(question, 0),
  turns: [
    {
      text: '<think> Let me look. </think>\n<search> capital Peru </search>',
      action: { kind: 'search', query: 'capital Peru' },
      observation: { text: '<information>…</information>', documents },
    },
    {
      text: 'I need the page.\n<|begin_url|>http://a<|end_url|>',
      action: { kind: 'read', urls: ['http://a', 'http://b'] },
    },
    { text: '<answer> Lima </answer>', action: { kind: 'answer', answer: 'Lima' } },
  ],
  answer: 'Lima',
  stopReason: 'answer',
  searches: 1,
}
const failed: Trajectory = {
  ...newTrajectory(question, 1),
  answer: 'Lima',
  stopReason: 'failed',
  failure: { boundary: 'search', message: 'refused' },
}

test('trajectories are a table: question, answers, and each thought and search as text', () => {
  const rows = trajectoryTable([played, failed], { documents: true }).objects() as Record<string, unknown>[]
  expect(rows[0]).toEqual({
    ...{ dataset: 'nq', questionId: 'nq-1', question: 'Capital of Peru?', goldAnswers: question.goldAnswers },
    ...{ answer: 'Lima', em: 1, f1: 1, searches: 1, stopReason: 'answer', failure: null },
    ...{ thought1: 'Let me look.', search1: 'capital Peru', documents1: 'Peru: Its capital is Lima.' },
    ...{ thought2: 'I need the page.', search2: 'http://a\nhttp://b', documents2: null },
    ...{ thought3: null, search3: null, documents3: null },
  })
  // What failed has no score, as in an evaluation.
  expect(rows[1]).toMatchObject({ em: 0, failure: 'search: refused', thought1: null, search1: null })
})

test('the method is a column where trajectories say it, and nothing is no row', () => {
  const named = trajectoryTable([{ ...played, method: 'rag' }, played])
  expect(named.array('method')).toEqual(['rag', null])
  expect(named.columnNames()).not.toContain('documents1')
  expect(trajectoryTable([]).numRows()).toBe(0)
  expect(toCsv(trajectoryTable([played])).split('\n')[0]).toContain('goldAnswers,answer,em,f1')
  expect(() => trajectoryTable([played], { document: true } as object)).toThrow('document')
})
