import fc from 'fast-check'
import { expect, test } from 'vitest'
import { RateLimit } from '../../src/http/rate-limit.js'

const requests = fc.array(
  fc.record({ pause: fc.nat(20_000), asked: fc.integer({ min: 1, max: 100 }), spent: fc.nat(100) }),
  { maxLength: 60 },
)

test('no 60 seconds hold more requests or tokens than the limits, and none waits longer than it must', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 10 }),
      fc.integer({ min: 100, max: 500 }),
      requests,
      (most, mostTokens, all) => {
        const limit = new RateLimit(most, mostTokens)
        const begun: { at: number; tokens: number }[] = []
        let now = 1_000_000
        /** Whether a request fits in the 60 seconds that end with it. */
        const fits = (at: number, tokens: number): boolean => {
          const recent = begun.filter((each) => each.at > at - 60_000)
          return recent.length < most && recent.reduce((sum, each) => sum + each.tokens, tokens) <= mostTokens
        }
        for (const { pause, asked, spent } of all) {
          now += pause
          const wait = limit.waitMs(now, asked)
          if (wait > 0) expect(fits(now + wait - 1, asked)).toBe(false)
          now += wait
          expect(limit.waitMs(now, asked)).toBe(0)
          expect(fits(now, asked)).toBe(true)
          // What was needed is known at the end, and is never more than what was asked for.
          limit.take(now, asked).tokens = Math.min(asked, spent)
          begun.push({ at: now, tokens: Math.min(asked, spent) })
        }
      },
    ),
  )
})

test('what was given back counts no more, and without limits nothing waits', () => {
  const limit = new RateLimit(1)
  const share = limit.take(0, 0)
  expect(limit.waitMs(10, 0)).toBe(59_990)
  limit.giveBack(share)
  expect(limit.waitMs(10, 0)).toBe(0)
  expect(new RateLimit().waitMs(0, 1e12)).toBe(0)
})
