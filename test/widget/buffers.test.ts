import fc from 'fast-check'
import { expect, it } from 'vitest'
import { joinBuffers, separateBuffers } from '../../src/widget/buffers.js'

it('takes bytes out and leaves their places as ipywidgets does', () => {
  const bytes = Uint8Array.of(1, 2)
  const state = { x: { ar: bytes, n: 1 }, y: [0, new Float32Array([1]), [bytes.buffer]], plain: 'text' }
  const { json, paths, buffers } = separateBuffers(state)
  expect(JSON.parse(JSON.stringify(json))).toEqual({ x: { n: 1 }, y: [0, null, [null]], plain: 'text' })
  expect(paths).toEqual([
    ['x', 'ar'],
    ['y', 1],
    ['y', 2, 0],
  ])
  expect(buffers).toEqual([bytes, Uint8Array.of(0, 0, 128, 63), bytes])
  expect(state.x.ar).toBe(bytes)
})

it('takes of a view what it shows, not what lies around it', () => {
  const { buffers } = separateBuffers({ part: Uint8Array.of(1, 2, 3, 4).subarray(1, 3) })
  expect(buffers).toEqual([Uint8Array.of(2, 3)])
})

it('puts back what it took, through JSON', () => {
  const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.constant(null), fc.uint8Array())
  const { value } = fc.letrec((tie) => ({
    value: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.array(tie('value')),
      fc.dictionary(fc.stringMatching(/^[a-z]+$/), tie('value')),
    ),
  }))
  fc.assert(
    fc.property(fc.dictionary(fc.stringMatching(/^[a-z]+$/), value), (state) => {
      const { json, paths, buffers } = separateBuffers(state)
      const sent = JSON.parse(JSON.stringify(json)) as Record<string, unknown>
      expect(joinBuffers({ json: sent, paths, buffers })).toEqual([])
      expect(sent).toEqual({ ...state })
    }),
  )
})

const bytes = Uint8Array.of(1)

it.each([
  [['__proto__', 'x']],
  [['constructor', 'prototype', 'x']],
  [['toString', 'x']],
  [['list', '__proto__', 'x']],
  [['list', 'push', 'x']],
  [['list', 'length']],
  [['list', 5]],
  [['list', -1]],
  [['own', '__proto__']],
  [['missing', 'x']],
  [['text', 'x']],
  [['nothing', 'x']],
  [[]],
  ['text'],
  [undefined],
  [[{ toString: () => '__proto__' }, 'x']],
])('refuses the path %j: it leads nowhere in the state', (path) => {
  const before = Object.getOwnPropertyNames(Object.prototype).length
  const json = { list: [1], own: { a: 1 }, text: 'abc', nothing: null }
  const same = structuredClone(json)
  const refused = joinBuffers({ json, paths: [path as string[], ['own', 'good']], buffers: [bytes, bytes] })
  expect(refused).toHaveLength(1)
  expect(json).toEqual({ ...same, own: { a: 1, good: bytes } })
  expect(Object.getPrototypeOf(json.own)).toBe(Object.prototype)
  expect(Object.getOwnPropertyNames(Object.prototype)).toHaveLength(before)
  expect(({} as { x?: unknown }).x).toBeUndefined()
})

it('refuses a path without bytes, and one to a key __proto__ that JSON made', () => {
  const json = JSON.parse('{"__proto__": {"a": 1}}') as Record<string, unknown>
  expect(joinBuffers({ json, paths: [['__proto__', 'a'], ['b']], buffers: [bytes] })).toHaveLength(2)
  expect(json).not.toHaveProperty('b')
})
