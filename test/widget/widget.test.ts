// What needs no kernel; test/kernel/widget.test.ts has the rest.
import { expect, it } from 'vitest'
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
