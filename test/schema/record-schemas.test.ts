import { describe, expect, test } from 'vitest'
import { documentSchema, questionSchema, scoreSchema, trajectorySchema } from '../../src/schema/record-schemas.js'
import type { Trajectory } from '../../src/schema/trajectory.js'

const trajectory: Trajectory = {
  question: {
    id: 'x-test-0',
    dataset: 'x',
    question: 'Where?',
    goldAnswers: ['Lima'],
    supportingFacts: ['It is Lima.'],
  },
  turns: [
    {
      text: '<search> where</search>',
      action: { kind: 'search', query: 'where' },
      observation: {
        text: '<information>Doc 1: Lima</information>',
        documents: [{ text: 'Lima', rank: 1 }],
        quality: 'useful',
      },
    },
    {
      text: 'hm',
      action: { kind: 'invalid', cause: 'there is no action' },
      observation: { text: 'Again.', documents: [] },
    },
    { text: '<answer> Lima</answer>', action: { kind: 'answer', answer: 'Lima' } },
  ],
  ids: [5, 6, 7, 8],
  lossMask: [0, 1, 0, 1],
  logprobs: [0, -0.25, 0, -1e-9],
  promptLength: 1,
  answer: 'Lima',
  stopReason: 'answer',
  searches: 1,
  seed: 4_000_000_000,
}

describe('trajectories', () => {
  test('come back from JSON as they were', () => {
    expect(trajectorySchema.parse(JSON.parse(JSON.stringify(trajectory)))).toEqual(trajectory)
    const failed: Trajectory = {
      ...trajectory,
      stopReason: 'failed',
      failure: { boundary: 'search', message: 'HTTP 500' },
    }
    expect(trajectorySchema.parse(JSON.parse(JSON.stringify(failed)))).toEqual(failed)
  })

  test.each([
    ['a mask that is too short', { lossMask: [0, 1, 0] }, 'there must be one for each of 4 ids, got 3'],
    [
      'log-probabilities that are too many',
      { logprobs: [0, 0, 0, 0, 0] },
      'there must be one for each of 4 ids, got 5',
    ],
    ['a prompt that is trained on', { lossMask: [1, 1, 0, 1] }, "must be 0 on the prompt's 1 ids, is 1 at 0"],
    ['a mask that is no mask', { lossMask: [0, 2, 0, 1] }, 'lossMask'],
    ['an unknown end', { stopReason: 'bored' }, 'stopReason'],
  ])('%s is refused', (_, change, message) => {
    expect(trajectorySchema.safeParse({ ...trajectory, ...change }).error?.message).toContain(message)
  })
})

test('a question needs a gold answer that is not empty', () => {
  const question = { id: 'x-0', dataset: 'x', question: 'Where?' }
  for (const goldAnswers of [undefined, [], ['']]) {
    expect(questionSchema.safeParse({ ...question, goldAnswers }).error?.issues[0]?.path[0]).toBe('goldAnswers')
  }
  expect(questionSchema.parse({ ...question, goldAnswers: ['Lima'] })).not.toHaveProperty('supportingFacts')
})

test('metrics lie in [0, 1]', () => {
  const score = {
    method: 'rag',
    dataset: 'x',
    questionId: 'x-0',
    answer: null,
    em: 0,
    coverEm: 0,
    f1: 0,
    searches: 1,
    answered: 0,
  }
  expect(scoreSchema.parse(score)).toEqual(score)
  expect(scoreSchema.safeParse({ ...score, f1: 1.01 }).error?.issues[0]?.path).toEqual(['f1'])
})

test('a document without title or score has neither; its rank begins at 1', () => {
  expect(documentSchema.parse({ text: 'Lima', rank: 1 })).toEqual({ text: 'Lima', rank: 1 })
  expect(documentSchema.safeParse({ text: 'Lima', rank: 0 }).success).toBe(false)
})
