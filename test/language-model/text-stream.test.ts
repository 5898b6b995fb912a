import { expect, test } from 'vitest'
import { TextStream } from '../../src/language-model/text-stream.js'

function pieces(stop: string[], ...texts: string[]): string[] {
  const sent: string[] = []
  const stream = new TextStream(stop, (piece) => sent.push(piece))
  for (const text of texts.slice(0, -1)) stream.grow(text)
  stream.end(texts.at(-1)!)
  return sent
}

test.each([
  ['each piece as it comes', [], ['a', 'ab', 'ab', 'abc'], ['a', 'b', 'c']],
  ['unfinished bytes wait', [], ['a\uFFFD', 'aé\uFFFD\uFFFD', 'aé東'], ['a', 'é', '東']],
  ['the half of a pair waits', [], ['a\uD83D', 'a👧'], ['a', '👧']],
  ['what may be a stop string waits', ['END'], ['aE', 'aEN', 'aENx', 'aENx'], ['a', 'ENx']],
  ['a stop string is never sent', ['END'], ['aE', 'aEN', 'a'], ['a']],
  ['a longer one waits as well', ['b', 'abcdef'], ['xabc', 'xabcde', 'xabcdx'], ['x', 'abcdx']],
  ['nothing', ['x'], ['', ''], []],
])('%s', (_, stop, texts, expected) => {
  expect(pieces(stop, ...texts)).toEqual(expected)
})
