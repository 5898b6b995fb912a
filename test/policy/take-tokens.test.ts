import { describe, expect, it } from 'vitest'
import { takeTokens } from '../../src/policy/take-tokens.js'
import { letterTokenizer } from '../tiny-model.js'

const EOS = 95
const limits = { maxTokens: 4, stop: ['!'] }
const ids = (text: string): number[] => letterTokenizer.encode(text)
const take = (earlier: string, tokens: number[], room = 100) =>
  takeTokens(letterTokenizer, ids(earlier), tokens, limits, room)

describe('takeTokens', () => {
  it('takes all while nothing ends the generation', () => {
    expect(take('', ids('ab'))).toMatchObject({ count: 2, stopReason: undefined })
  })

  it('ends with the token that completes a stop string', () => {
    expect(take('', ids('a!b'))).toEqual({ count: 2, stopReason: 'stop', text: 'a!' })
  })

  it('ends with the end token, which is kept but not shown', () => {
    expect(take('x', [...ids('a'), EOS, ...ids('b')])).toEqual({ count: 2, stopReason: 'eos', text: 'xa' })
  })

  it('does not see what lies past the budget or the room: an end token there, or a stop string', () => {
    expect(take('xx', [...ids('ab'), EOS])).toEqual({ count: 2, stopReason: 'length', text: 'xxab' })
    expect(take('', [...ids('ab'), EOS], 2)).toEqual({ count: 2, stopReason: 'full', text: 'ab' })
    expect(take('xx', ids('ab!'))).toMatchObject({ count: 2, stopReason: 'length' })
  })
})
