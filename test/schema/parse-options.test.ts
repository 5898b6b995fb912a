import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import { aFunction, anObject, parseOptions } from '../../src/schema/parse-options.js'

const policy = { name: 'tiny', start: () => undefined }
const schema = z.strictObject({
  policy: anObject<typeof policy>('a policy'),
  updates: z.int().min(1),
  learningRate: z.number().positive().default(1e-6),
  algorithm: z.enum(['grpo', 'ppo']).default('grpo'),
  names: z.array(z.string()).min(1).exactOptional(),
  curriculum: z.strictObject({ start: z.number().min(0).max(1), end: z.number().min(0).max(1) }).exactOptional(),
  slots: z.int('must be a whole number; take 64').exactOptional(),
  onUpdate: aFunction<() => void>().exactOptional(),
  saveTo: z.string().exactOptional(),
})
const parse = (options: unknown) => parseOptions('train', schema, options)

describe('options', () => {
  test('come back with their defaults; what is undefined is absent, objects are the same objects', () => {
    const onUpdate = (): void => undefined
    const parsed = parse({ policy, updates: 3, names: undefined, learningRate: undefined, onUpdate })
    expect(parsed).toEqual({ policy, updates: 3, learningRate: 1e-6, algorithm: 'grpo', onUpdate })
    expect(parsed.policy).toBe(policy)
    expect('names' in parsed).toBe(false)
  })

  test.each([
    [{ updates: NaN }, 'train: updates must be an integer, got NaN'],
    [{ updates: 1.5 }, 'train: updates must be an integer, got 1.5'],
    [{ updates: 0 }, 'train: updates must be at least 1, got 0'],
    [{ learningRate: NaN }, 'train: learningRate must be a finite number, got NaN'],
    [{ learningRate: Infinity }, 'train: learningRate must be a finite number, got Infinity'],
    [{ learningRate: 0 }, 'train: learningRate must be more than 0, got 0'],
    [{ learningRate: '3' }, "train: learningRate must be a finite number, got '3'"],
    [{ algorithm: 'dpo' }, "train: algorithm must be one of 'grpo', 'ppo', got 'dpo'"],
    [{ names: [] }, 'train: names must have a length of at least 1, got []'],
    [{ names: ['a', 3] }, 'train: names.1 must be a text, got 3'],
    [{ curriculum: { start: 0, end: 1.5 } }, 'train: curriculum.end must be at most 1, got 1.5'],
    [{ slots: 1.5 }, 'train: slots must be a whole number, got 1.5; take 64'],
    [{ onUpdate: 3 }, 'train: onUpdate must be a function, got 3'],
    [{ policy: null }, 'train: policy must be a policy, got null'],
    [{ saveTo: 5n }, 'train: saveTo must be a text, got 5n'],
  ])('%o is refused by name', (change, message) => {
    expect(() => parse({ policy, updates: 3, ...change })).toThrow(message)
  })

  test('what is missing is named', () => {
    expect(() => parse({ updates: 3 })).toThrow('train: policy must be a policy, got undefined')
    expect(() => parse({ policy })).toThrow('train: updates must be an integer, got undefined')
    for (const nothing of [undefined, null, 3, 'grpo', [1]])
      expect(() => parse(nothing)).toThrow(/^train: options must/)
  })

  test('a mistyped key is refused, and the nearest one named', () => {
    expect(() => parse({ policy, update: 3 })).toThrow('train: there is no option update; did you mean updates?')
    expect(() => parse({ policy, updates: 3, learningrate: 1 })).toThrow('did you mean learningRate?')
    expect(() => parse({ policy, updates: 3, curriculum: { start: 0, ende: 1 } })).toThrow(
      'train: curriculum: there is no option ende; did you mean end?',
    )
    expect(() => parse({ policy, updates: 3, zebra: 1 })).toThrow('there is no option zebra; the options are policy, u')
  })

  test('a value of any size or shape is shown in short', () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    for (const value of ['x'.repeat(1e6), Array(1e5).fill(0), cyclic, Symbol('s'), () => 1]) {
      const message = (() => {
        try {
          parse({ policy, updates: value })
        } catch (error) {
          return (error as Error).message
        }
        return ''
      })()
      expect(message).toMatch(/^train: updates must be an integer, got /)
      expect(message.length).toBeLessThan(150)
    }
  })
})
