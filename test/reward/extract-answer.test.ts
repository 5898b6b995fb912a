import fc from 'fast-check'
import { expect, test } from 'vitest'
import { extractAnswer } from '../../src/reward/extract-answer.js'

test.each([
  [['<think> x</think><answer> Lima </answer>'], 'Lima'],
  [['<answer>one</answer> or <answer>two</answer>'], 'two'],
  [['<answer>one</answer>', '<search> q </search>'], 'one'],
  [['<answer>first <answer>second</answer>'], 'second'],
  [['<answer>two\nlines</answer>'], 'two\nlines'],
  [['<answer></answer>'], ''],
  [['<answer>open'], null],
  [['</answer>Lima<answer>'], null],
  [['no tags'], null],
  [[], null],
])('%j gives %j', (messages, answer) => {
  expect(extractAnswer(messages)).toBe(answer)
})

test('an answer that is split over two messages is none', () => {
  expect(extractAnswer(['<answer>Li', 'ma</answer>'])).toBeNull()
})

test('whatever was written before, the last answer is found', () => {
  const plain = fc.string().map((text) => text.replace(/[<>]/g, ''))
  fc.assert(
    fc.property(fc.array(fc.string()), plain, plain, (before, answer, after) => {
      expect(extractAnswer([...before, `<answer>${answer}</answer>${after}`])).toBe(answer.trim())
    }),
  )
})
