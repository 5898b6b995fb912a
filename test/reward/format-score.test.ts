import { expect, test } from 'vitest'
import { formatScore } from '../../src/reward/format-score.js'

const SEARCH = '<think> I lack it.</think><search> capital of Peru</search>'
const ANSWER = '<think> It is Lima.</think>\n<answer> Lima </answer>\n'

test.each([
  ['a good trajectory', [SEARCH, ANSWER], 1],
  ['an answer at once', ['<answer>Lima</answer>'], 1],
  ['several thoughts', ['<think>a</think> <think>b</think><answer>Lima</answer>'], 1],
  ['no messages', [], 0],
  ['no action', ['<think> hm</think>'], 0],
  ['an empty answer', ['<answer></answer>'], 0],
  ['text outside tags', ['Sure! <answer>Lima</answer>'], 0],
  ['text after the action', ['<answer>Lima</answer> I hope that helps'], 0],
  ['two actions', ['<search>q</search><answer>Lima</answer>'], 0],
  ['self-written documents', ['<information> Doc 1: x</information><answer>Lima</answer>'], 0],
  ['self-written documents in a thought', ['<think><information>x</information></think><answer>Lima</answer>'], 0],
  ['an open thought', ['<think> hm <answer>Lima</answer>'], 0],
  ['repeated closing tags', ['<answer>Lima</answer></answer></answer>'], 0],
  ['a search at the end', [SEARCH, SEARCH], 0.5],
  ['one bad of three', [SEARCH, 'oops', ANSWER], 2 / 3],
])('%s', (_, messages, score) => {
  expect(formatScore(messages)).toBeCloseTo(score, 12)
})

test('a long message that fits nowhere is judged in time', () => {
  const started = performance.now()
  expect(formatScore(['<think>'.repeat(2000) + 'x'.repeat(20_000)])).toBe(0)
  expect(performance.now() - started).toBeLessThan(1000)
})
