import { expect, test } from 'vitest'
import { containsAnswer } from '../../src/reward/contains-answer.js'

test.each([
  ['The port of Lima is Callao.', 'Lima', true],
  ["Lima's port", 'lima', true],
  ['a Lima-based firm', 'Lima', true],
  ['Berlin', 'in', false],
  ['lies in Berlin', 'in', true],
  ['the O’Neil bridge', "O'Neil", true],
  ["the O'Neil bridge", 'O Neil', true],
  ['He met a ONeil', "O'Neil", true],
  ['the Golden  Gate', 'The golden gate!', true],
  ['born in 1912', '191', false],
  ['C++ and C', 'C++', true],
  ['1 + 1', '+', true],
  ['one and one', '+', false],
  ['anything', 'the', false],
  ['the end', 'the', true],
  ['anything', '', false],
  ['', 'Lima', false],
  ['首都はリマです', 'リマ', false],
  ['首都 は リマ です', 'リマ', true],
])('%j holds %j: %s', (text, answer, held) => {
  expect(containsAnswer(text, [answer])).toBe(held)
})

test('one of the gold answers is enough, and without any nothing is held', () => {
  expect(containsAnswer('Lima', ['Rome', 'Lima'])).toBe(true)
  expect(containsAnswer('Lima', [])).toBe(false)
})
