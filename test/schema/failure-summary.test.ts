import fc from 'fast-check'
import { expect, test } from 'vitest'
import { summarizeFailures } from '../../src/schema/failure-summary.js'
import type { Trajectory } from '../../src/schema/trajectory.js'

type Played = Pick<Trajectory, 'failure'>
const failed = (message: string, boundary: 'search' | 'policy' = 'search'): Played => ({
  failure: { boundary, message },
})

test('share and causes with counts, the commonest first', () => {
  const played = [
    failed('refused'),
    {},
    failed('HTTP 500'),
    failed('HTTP 500'),
    {},
    failed('HTTP 500', 'policy'),
    {},
    {},
  ]
  expect(summarizeFailures(played)).toEqual({
    failed: 4,
    share: 0.5,
    causes: [
      { message: 'search: HTTP 500', count: 2 },
      { message: 'search: refused', count: 1 },
      { message: 'policy: HTTP 500', count: 1 },
    ],
  })
  expect(summarizeFailures([])).toEqual({ failed: 0, share: 0, causes: [] })
})

test('scores, which hold a failure as one text, give the same', () => {
  expect(summarizeFailures([{ failure: 'search: HTTP 500' }, {}])).toEqual(summarizeFailures([failed('HTTP 500'), {}]))
})

test.each([
  ['timeout after 5012 ms', 'timeout after 4987.5 ms'],
  ['connect ECONNREFUSED 10.0.0.1:8123', 'connect ECONNREFUSED 10.0.0.2:9000'],
  ['request 6f1c3f0e-8c1d-4f6e-9d38-6d2c3b1a0f77 failed', 'request 0a1c3f0e-8c1d-4f6e-9d38-6d2c3b1a0f70 failed'],
  ['no page "Lima"', 'no page "Rome"'],
  ['trace deadbeef01 is lost', 'trace 01deadbeef is lost'],
])('%s and %s are one cause', (a, b) => {
  expect(summarizeFailures([failed(a), failed(b)]).causes).toEqual([{ message: `search: ${a}`, count: 2 }])
})

test.each([
  ['HTTP 500', 'HTTP 429'],
  ['status code 503', 'status code 404'],
  ['out of memory', 'out of time'],
])('%s and %s are two causes', (a, b) => {
  expect(summarizeFailures([failed(a), failed(b)]).causes).toHaveLength(2)
})

test('whatever failed, the counts add up', () => {
  const played = fc.oneof(
    fc.constant<Played>({}),
    fc.string({ unit: 'binary' }).map((text) => failed(text)),
  )
  fc.assert(
    fc.property(fc.array(played), (all) => {
      const summary = summarizeFailures(all)
      expect(summary.failed).toBe(all.filter(({ failure }) => failure).length)
      expect(summary.causes.reduce((sum, { count }) => sum + count, 0)).toBe(summary.failed)
      const counts = summary.causes.map(({ count }) => count)
      expect(counts).toEqual([...counts].sort((a, b) => b - a))
    }),
  )
})
