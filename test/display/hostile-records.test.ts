// Records that were read from a file hold markup in every field, also where a number belongs: whatever shows them shows text.
import { describe, expect, it, vi } from 'vitest'
import { trainingView } from '../../src/display/training-view.js'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import type { MimeBundle } from '../../src/display/bundle.js'
import { assertHarmless } from './harmless.js'
import { records } from './records.js'

const ATTACK = `"' onmouseover='alert(1)'><img src=x onerror=alert(1)><script>alert(1)</script>`

/** The record with each of its strings, numbers and nulls in turn replaced, and with all of them replaced. */
function hostile(record: unknown, attack: unknown): { where: string; value: unknown }[] {
  const paths: (string | number)[][] = []
  const walk = (value: unknown, path: (string | number)[]): void => {
    if (typeof value === 'object' && value !== null)
      for (const [key, item] of Object.entries(value)) walk(item, [...path, Array.isArray(value) ? Number(key) : key])
    else if (typeof value !== 'function') paths.push(path)
  }
  walk(record, [])
  const replaced = (chosen: (string | number)[][]): unknown =>
    chosen.reduce((copy, path) => replaceAt(copy, path, attack), record)
  return [
    ...paths.map((path) => ({ where: path.join('.'), value: replaced([path]) })),
    { where: 'everywhere', value: replaced(paths) },
  ]
}

function replaceAt(value: unknown, [key, ...rest]: (string | number)[], attack: unknown): unknown {
  if (key === undefined) return attack
  const copy = (Array.isArray(value) ? [...(value as unknown[])] : { ...(value as object) }) as Record<string, unknown>
  copy[key] = replaceAt(copy[key], rest, attack)
  return copy
}

function checkBundle(bundle: MimeBundle, where: string): void {
  if (typeof bundle['text/html'] === 'string') assertHarmless(bundle['text/html'])
  // Whoever shows Markdown or SVG shows the HTML in it: only the user's own constructors make them.
  expect(Object.keys(bundle), where).not.toContain('text/markdown')
  expect(Object.keys(bundle), where).not.toContain('image/svg+xml')
  expect(bundle['text/plain'], where).toBeTypeOf('string')
}

it.each(Object.entries(records))('a %s shows as text: alone, in an array, live and static', async (kind, record) => {
  for (const { where, value } of hostile(record, ATTACK))
    for (const isStatic of [false, true])
      for (const shown of [value, [record, value]])
        checkBundle(await toMimeBundle(shown, { static: isStatic }), `${kind} ${where}`)
  for (const shown of [record, [record]]) expect((await toMimeBundle(shown))['text/html'], kind).toBeDefined()
})

it.each(Object.entries(records))(
  'a %s shows whatever object a file holds where a text or number belongs',
  async (kind, record) => {
    const noText: unknown = JSON.parse('{"toString": "x", "valueOf": 1}')
    for (const { where, value } of hostile(record, noText))
      for (const isStatic of [false, true])
        checkBundle(await toMimeBundle(value, { static: isStatic }), `${kind} ${where}`)
  },
)

describe('the curves of a training', () => {
  const curves = (value: unknown): Promise<MimeBundle> => toMimeBundle(trainingView(ATTACK, 0.5, [value] as never[]))

  it('show every field as text, and stay a picture', async () => {
    const shown = await Promise.all(hostile(records['update record'], ATTACK).map(({ value }) => curves(value)))
    expect(shown.length).toBeGreaterThan(20)
    for (const bundle of shown) {
      checkBundle(bundle, 'curves')
      for (const [, data] of String(bundle['text/html']).matchAll(/base64,([^"]+)/g)) {
        const svg = Buffer.from(data!, 'base64').toString()
        expect(svg).not.toMatch(/<(img|script)|onmouseover='/)
      }
    }
  })

  it('show what the last update warns of below them, as text, and leave out what is no warning', async () => {
    const warning = { metric: 'kl', since: 1, now: 2, before: 0, message: `seen ${ATTACK}`, remedy: 'try <b>less</b>' }
    const shown = (warnings: unknown): Promise<MimeBundle> => curves({ update: 1, reward: 0, em: 0, kl: 0, warnings })
    const bundle = await shown([warning, { ...warning, message: 'second' }])
    checkBundle(bundle, 'warnings')
    expect(bundle['text/html']).toContain('⚠ second; try: try &lt;b&gt;less&lt;/b&gt;')
    expect(
      String(bundle['text/plain'])
        .split('\n')
        .filter((line) => line.startsWith('⚠')),
    ).toHaveLength(2)
    for (const none of [undefined, [], 'text', [null, 1, {}, { message: 5, remedy: 'x' }]])
      expect((await shown(none))['text/html']).not.toContain('⚠')
    vi.stubEnv('ZEROSEARCH_STATIC', '1')
    const heights = await Promise.all(
      [[], [warning]].map(async (warnings) =>
        Buffer.from(String((await shown(warnings))['image/png']), 'base64').readUInt32BE(20),
      ),
    )
    vi.unstubAllEnvs()
    expect(heights[1]).toBeGreaterThan(heights[0]!)
  })

  it('are pictures in static outputs too', async () => {
    vi.stubEnv('ZEROSEARCH_STATIC', '1')
    const bundle = await curves(hostile(records['update record'], ATTACK).at(-1)!.value)
    vi.unstubAllEnvs()
    expect(Object.keys(bundle)).toEqual(['image/png'])
  })
})
