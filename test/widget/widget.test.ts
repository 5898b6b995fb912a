// What needs no kernel; test/kernel/widget.test.ts has the rest.
import { expect, it, vi } from 'vitest'
import { slider } from '../../src/widget/slider.js'
import { widget } from '../../src/widget/widget.js'

it('says outside of a notebook that a notebook is needed', () => {
  expect(() => widget({ esm: '', state: {} })).toThrow(/^widget: only a notebook can show one.*run it in a cell/)
})

it('leaves the protocol its names', () => {
  expect(() => widget({ esm: '', state: { _esm: 1 } })).toThrow(/must not begin with _.*got _esm/)
})

it.each([
  [{ min: 1, max: 1 }, 'slider: min must be below max, got min 1 and max 1'],
  [{ min: 0, max: Infinity }, 'slider: min must be below max, got min 0 and max Infinity'],
  [{ min: 0, max: 1, step: 0 }, 'slider: step must be above 0, got 0'],
  [{ min: 0, max: 1, value: 2 }, 'slider: value must be from 0 to 1, got 2'],
])('a slider of %o has a rule against it', (options, message) => {
  expect(() => slider(options)).toThrow(message)
})

it('takes whatever a page sends: what has no place in its state is told, and the rest is taken', () => {
  interface Comm {
    onMessage(data: unknown, buffers: Uint8Array[]): void
  }
  const comm = { id: 'c', send: () => undefined, close: () => undefined } as unknown as Comm
  vi.stubGlobal('Jupyter', { comms: { register: () => undefined, open: () => comm } })
  const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
  const shown = widget({ esm: '', state: { n: 1, image: null } })
  vi.unstubAllGlobals()
  const bytes = Uint8Array.of(1, 2)
  const paths = [['image'], ['__proto__', 'x'], ['gone', 'x'], 'n', undefined]
  const buffers = paths.map(() => bytes)
  comm.onMessage({ method: 'update', state: { n: 2 }, buffer_paths: paths }, buffers)
  for (const message of [null, 'update', 5, { method: 'update', state: 'x', buffer_paths: 'y' }, { method: 'update' }])
    comm.onMessage(message, buffers)
  expect([shown.get('n'), shown.get('image')]).toEqual([2, bytes])
  expect(warn.mock.calls.flat().join()).toMatch(/^widget: bytes must come with a path .*'__proto__', 'x'.*'gone', 'x'/)
  expect(({} as { x?: unknown }).x).toBeUndefined()
  warn.mockRestore()
})
