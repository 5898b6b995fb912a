import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { fromJson, toJson } from '../../src/file/any-json.js'
import type { Json } from '../../src/file/any-json.js'

const throughText = (value: unknown): unknown => fromJson(JSON.parse(JSON.stringify(toJson(value))) as Json)

describe('toJson', () => {
  it('what it keeps comes back as it was', () => {
    const values = fc.anything({ withBigInt: true, withDate: true, withMap: true, withSet: true, maxDepth: 4 })
    fc.assert(
      fc.property(values, (value) => {
        expect(throughText(value)).toEqual(value)
      }),
    )
  })

  it.each([[NaN], [-Infinity], [-0], [5n], [undefined], [new Date(NaN)], [{ $type: 'number', value: 'NaN' }]])(
    '%o comes back',
    (value) => {
      expect(throughText([value])).toStrictEqual([value])
    },
  )

  it('leaves plain values as plain JSON, which every reader knows', () => {
    const record = { em: 0.5, note: 'ä', list: [1, null, { deep: true }] }
    expect(toJson(record)).toEqual(record)
  })

  it('describes what has no value on a disk', () => {
    const circle: Record<string, unknown> = { a: 1 }
    circle['self'] = circle
    const value = { f: Math.max, s: Symbol('one'), circle, typed: new Float32Array([1, 0.5]), big: [1n] }
    expect(throughText(value)).toEqual({
      f: '[Function: max]',
      s: 'Symbol(one)',
      circle: { a: 1, self: '[circular]' },
      typed: [1, 0.5],
      big: [1n],
    })
  })

  it('never throws, and loses only what cannot be read', () => {
    const thrower = (): never => {
      throw new Error('mine')
    }
    const getter = Object.defineProperty({ good: 1 }, 'bad', { get: thrower, enumerable: true })
    expect(throughText(getter)).toEqual({ good: 1, bad: '[cannot be read: mine]' })
    expect(throughText({ x: { toJSON: thrower }, y: 2 })).toEqual({ x: '[cannot be read: mine]', y: 2 })
    const proxy = new Proxy({}, { ownKeys: thrower, get: thrower, has: thrower, getPrototypeOf: thrower })
    expect(throughText({ proxy, y: 2 })).toEqual({ proxy: '[cannot be read: mine]', y: 2 })
    let deep: unknown = 1
    for (let i = 0; i < 1e5; i++) deep = [deep]
    expect(JSON.stringify(toJson({ deep }))).toContain('[nested too deep]')
    const { proxy: revoked, revoke } = Proxy.revocable({}, {})
    revoke()
    expect(JSON.stringify(toJson([revoked]))).toContain('cannot be read')
  })

  it('a file that was changed by hand is read as it stands', () => {
    fc.assert(fc.property(fc.jsonValue(), (value) => void fromJson(value as Json)))
    const odd = { $type: 'bigint', value: 'many' }
    expect(fromJson(odd)).toEqual(odd)
  })
})
