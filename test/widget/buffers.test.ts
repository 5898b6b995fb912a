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
      expect(joinBuffers({ json: sent, paths, buffers })).toEqual({ ...state })
    }),
  )
})
