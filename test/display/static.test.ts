// What `ZEROSEARCH_STATIC=1` leaves of every kind of output, for viewers such as GitHub's.
import { afterEach, beforeEach, expect, it, vi } from 'vitest'
import { everyKind, pictures } from './every-kind.js'

beforeEach(() => vi.stubEnv('ZEROSEARCH_STATIC', '1'))
afterEach(() => vi.unstubAllEnvs())

it('texts are HTML without styles, scripts and data URIs', async () => {
  const bundles = await everyKind('Lima')
  expect(Object.keys(bundles).length).toBeGreaterThanOrEqual(11)
  for (const [kind, bundle] of Object.entries(bundles)) {
    expect(Object.keys(bundle), kind).toEqual(['text/html', 'text/plain'])
    expect(bundle['text/html'], kind).not.toMatch(/style|<script|data:/)
    expect(bundle['text/html'], kind).toContain('Lima')
  }
})

it('figures and curves are pictures alone', async () => {
  for (const [kind, bundle] of Object.entries(await pictures())) {
    expect(Object.keys(bundle), kind).toEqual(['image/png'])
    const png = Buffer.from(bundle['image/png'] as string, 'base64')
    expect(png.subarray(1, 4).toString(), kind).toBe('PNG')
  }
})

it('without it outputs are interactive and coloured: the switch makes the difference', async () => {
  vi.unstubAllEnvs()
  const { trajectory } = await everyKind('Lima')
  expect(trajectory!['text/html']).toContain('style="border-left')
  const { figure } = await pictures()
  expect(Object.keys(figure!)).toEqual(['application/vnd.plotly.v1+json', 'text/html', 'text/plain'])
})
