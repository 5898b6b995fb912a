import { describe, expect, it } from 'vitest'
import { secondsFor } from '../../src/train/probe.js'

describe('seconds of another size', () => {
  it('lie on the line through the two largest sizes measured', () => {
    const measured = [
      { count: 2, seconds: 900 },
      { count: 10, seconds: 15 },
      { count: 20, seconds: 24 },
      { count: 20, seconds: 26 },
    ]
    expect(secondsFor(40, measured)).toBe(45)
    expect(secondsFor(20, measured)).toBe(25)
  })

  it('are in proportion where there is one size', () => {
    expect(secondsFor(30, [{ count: 10, seconds: 5 }])).toBe(15)
  })

  it('never fall as it grows, nor grow faster than it', () => {
    expect(
      secondsFor(
        40,
        [10, 20].map((count) => ({ count, seconds: 100 / count })),
      ),
    ).toBe(5)
    expect(
      secondsFor(
        40,
        [10, 20].map((count) => ({ count, seconds: count ** 3 })),
      ),
    ).toBe(16_000)
  })
})
