import { describe, expect, test } from 'vitest'
import { networkFailure, RequestFailure, retryAfter, statusFailure } from '../../src/http/request-failure.js'

describe('Retry-After', () => {
  const now = Date.parse('2026-11-25T10:00:00Z')
  test.each([
    [{ 'retry-after': '3' }, 3000],
    [{ 'retry-after': ' 1.5 ' }, 1500],
    [{ 'retry-after': 'Wed, 25 Nov 2026 10:00:07 GMT' }, 7000],
    [{ 'retry-after': 'Wed, 25 Nov 2026 09:00:00 GMT' }, 0],
    [{ 'retry-after-ms': '250', 'retry-after': '1' }, 250],
    [{ 'retry-after': 'soon' }, undefined],
    [{ 'retry-after': '1.2.3' }, undefined],
    [{ 'retry-after': '' }, undefined],
    [{}, undefined],
  ])('%j asks for %s ms', (headers, expected) => {
    expect(retryAfter(new Headers(headers as Record<string, string>), now)).toBe(expected)
  })
})

describe('what a status means', () => {
  const kindOf = (status: number, headers = {}) => statusFailure(status, '', new Headers(headers)).kind
  test('is asked again where that may help', () => {
    for (const status of [408, 425, 500, 502, 503, 504, 529]) expect(kindOf(status)).toBe('fault')
    for (const status of [301, 400, 401, 403, 404, 405, 413, 409, 422]) expect(kindOf(status)).toBe('refused')
    expect(kindOf(429)).toBe('busy')
    expect(kindOf(503, { 'retry-after': '1' })).toBe('busy')
  })

  test.each([
    ['{"error":{"message":"too long","code":"context_length_exceeded"}}', 'too long (context_length_exceeded)'],
    ['{"detail":[{"loc":["body","seed"]}]}', '[{"loc":["body","seed"]}]'],
    ['{"error":"wrong"}', 'wrong'],
    ['{"message":"wrong"}', 'wrong'],
    ['{"status":5}', '{"status":5}'],
    ['null', 'null'],
    ['[1]', '[1]'],
    [' <html>\n<b> ', '<html> <b>'],
    ['x'.repeat(1000), `${'x'.repeat(300)}…`],
  ])('the server’s words: %.40s', (body, said) => {
    expect(statusFailure(400, body, new Headers()).message).toBe(`answered 400 Bad Request: ${said}`)
  })
})

test('a cause is found however deep it is', () => {
  const inner = Object.assign(new Error('connect ECONNREFUSED'), { code: 'ECONNREFUSED' })
  const error = new TypeError('fetch failed', { cause: new Error('socket', { cause: inner }) })
  expect(networkFailure(error)).toMatchObject({
    kind: 'fault',
    message: expect.stringContaining('refuses connections') as string,
  })
  const failure = new RequestFailure('is busy', { kind: 'busy', waitMs: 5 })
  expect(networkFailure(new Error('x', { cause: failure }))).toBe(failure)
  const certificate = Object.assign(new Error('certificate has expired'), { code: 'CERT_HAS_EXPIRED' })
  expect(networkFailure(certificate)).toMatchObject({
    kind: 'refused',
    message: 'failed: certificate has expired (CERT_HAS_EXPIRED)',
  })
  expect(networkFailure('odd')).toMatchObject({ kind: 'fault', message: 'failed: odd' })
})
