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
  [['<answer> a </answer>', 'then <answer>b</answer> and <answer> c</answer> <answer> open'], 'c'],
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

test('a whole transcript answers with the prompt’s example, which is why only the policy’s messages are given', () => {
  const prompt = 'Write the answer between <answer> and </answer>, such as <answer> Beijing </answer>. Question: who?'
  const correction = 'To answer, write it between <answer> and </answer>.'
  expect(extractAnswer([prompt + 'I do not know.'])).toBe('Beijing')
  expect(extractAnswer([prompt + 'hm' + correction + 'hm'])).toBe('and')
  expect(extractAnswer(['hm', 'I do not know.'])).toBeNull()
})
