// The paper's own functions on generated cases: test/parity/make-scores.py.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, test } from 'vitest'
import {
  coverExactMatch,
  exactMatch,
  f1,
  paperAnswer,
  paperScore,
  scoreAnswer,
} from '../../src/reward/answer-metrics.js'
import { normalizeAnswer } from '../../src/reward/normalize-answer.js'
import { extractAnswer } from '../../src/reward/extract-answer.js'

const fixture = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/scores.json'), 'utf8')) as {
  cases: [answer: string, goldAnswers: string[], normalized: string, em: number, f1: number][]
  answers: [transcript: string, answer: string | null][]
}

describe('the reference’s scores', () => {
  it('are ours on every generated case, hard white space and signs included', () => {
    expect(fixture.cases.length).toBeGreaterThan(1000)
    for (const [answer, goldAnswers, normalized, em, f1Score] of fixture.cases) {
      const about = JSON.stringify([answer, goldAnswers])
      expect(normalizeAnswer(answer), about).toBe(normalized)
      const score = paperScore(answer, goldAnswers)
      expect(score.em, about).toBe(em)
      expect(score.f1, about).toBeCloseTo(f1Score, 12)
      expect(scoreAnswer(answer, goldAnswers).paperEm, about).toBe(em)
    }
  })

  it('read the same answer out of a transcript', () => {
    for (const [transcript, answer] of fixture.answers) expect(paperAnswer(transcript), transcript).toBe(answer)
    expect(fixture.answers.filter(([, answer]) => answer !== null).length).toBeGreaterThan(20)
  })
})

test('white space is Python’s', () => {
  for (const space of ['\u001c', '\u001d', '\u001e', '\u001f', '\u0085', '\u00a0', '\u3000', '\u2028']) {
    expect(normalizeAnswer(`new${space}york`)).toBe('new york')
    expect(exactMatch(`${space}+${space}`, ['+'])).toBe(1)
    expect(extractAnswer([`<answer>${space}Lima${space}</answer>`])).toBe('Lima')
  }
  for (const none of ['\ufeff', '\u200b']) {
    expect(exactMatch(`new${none}york`, ['new york'])).toBe(0)
    expect(extractAnswer([`<answer>${none}Lima</answer>`])).toBe(`${none}Lima`)
  }
})

describe('where ours departs from the paper’s', () => {
  it.each([
    ['the answer contains a gold answer', 'Paris or London', ['Paris'], 1, 0, 1],
    ['a gold answer within a word', 'Berlin', ['in'], 1, 0, 1],
    ['a gold answer that is empty', 'Rome', [''], 1, 0, 0],
    ['a gold answer of which nothing is left', 'Rome', ['The'], 1, 0, 0],
    ['nothing answered, and the gold answer is the prompt’s example', null, ['Beijing'], 1, 0, 0],
    ['an answer that is an article', 'The', ['the'], 1, 1, 1],
    ['right', 'the Lima.', ['Lima'], 1, 1, 1],
    ['nothing answered', null, ['Lima'], 0, 0, 0],
  ])('%s', (_, answer, goldAnswers, paperEm, em, coverEm) => {
    expect(paperScore(answer, goldAnswers).em).toBe(paperEm)
    expect(scoreAnswer(answer, goldAnswers)).toMatchObject({ paperEm, em, coverEm })
  })

  it('tags', () => {
    expect(paperAnswer('<answer>x</answer>')).toBeNull()
    expect(paperAnswer('<answer>x</answer><answer>first <answer>second</answer>')).toBe('first <answer>second')
    expect(extractAnswer(['<answer>first <answer>second</answer>'])).toBe('second')
  })
})

test('all metrics at once are the metrics one by one', () => {
  for (const [answer, goldAnswers] of fixture.cases.slice(0, 300)) {
    expect(scoreAnswer(answer, goldAnswers)).toEqual({
      em: exactMatch(answer, goldAnswers),
      coverEm: coverExactMatch(answer, goldAnswers),
      f1: f1(answer, goldAnswers),
      paperEm: paperScore(answer, goldAnswers).em,
    })
  }
})

test('as many predictions as the seven sets have are scored within a coarse bound', () => {
  const cases = Array.from({ length: 51_713 }, (_, i) => ({
    answer: `The answer number ${i}, in words`,
    goldAnswers: Array.from({ length: i % 5 === 0 ? 13 : 2 }, (_, j) => `Gold answer ${i} (${j})`),
  }))
  const started = performance.now()
  for (const { answer, goldAnswers } of cases) scoreAnswer(answer, goldAnswers)
  expect(performance.now() - started).toBeLessThan(5000)
})
