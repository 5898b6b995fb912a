// A trajectory token by token: readable at 500 tokens, without scripts, whatever its tokens say.
import { expect, it } from 'vitest'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import { valueColour } from '../../src/display/token-colours.js'
import type { TokenView, ViewedToken } from '../../src/schema/token-view.js'
import { assertHarmless } from './harmless.js'

/** A prompt, and then messages and observations by turns. */
function viewOf(count: number, text: (place: number) => string): TokenView {
  const tokens = Array.from({ length: count }, (_, place): ViewedToken => {
    const turn = Math.floor(place / 20)
    if (turn === 0 || place % 20 >= 8) {
      return { place, id: place, text: text(place), source: turn === 0 ? 'prompt' : 'observation', turn, mask: 0 }
    }
    const advantage = Math.sin(place)
    return {
      ...{ place, id: place, text: text(place), source: 'policy', turn, mask: 1, advantage, value: 0.5, kl: 0.01 },
      ...{ samplerLogprob: -0.5, trainerLogprob: -0.4, ratio: Math.exp(0.1), return: 1 },
    }
  })
  const about = { question: 'Where is Lima?', answer: 'Peru', stopReason: 'answer', policy: 'policy' } as const
  return { ...about, algorithm: 'ppo', reward: 0.5, klEstimator: 'k1', tokens }
}

const htmlOf = async (view: TokenView, isStatic = false): Promise<string> =>
  String((await toMimeBundle(view, { static: isStatic }))['text/html'])

it('every token shows once with its numbers in the tooltip, and each measure colours the policy’s own', async () => {
  const view = viewOf(500, (place) => ` word${place}`)
  const html = await htmlOf(view)
  expect(html.length).toBeLessThan(350_000)
  const document = assertHarmless(html)
  const sections = [...document.querySelectorAll('details')]
  expect(sections.map((section) => section.querySelector('summary b')?.textContent ?? 'numbers by part')).toEqual([
    ...['where each token comes from', 'advantage', 'ratio, trainer to sampler'],
    ...[
      'divergence from the reference (KL)',
      'value, before each token',
      'log-probability, trainer',
      'numbers by part',
    ],
  ])
  expect(sections.map((section) => section.hasAttribute('open'))).toEqual([
    true,
    true,
    ...Array<boolean>(5).fill(false),
  ])
  const spans = [...sections[0]!.querySelectorAll('span[title]')]
  expect(spans.map((span) => span.textContent)).toEqual(view.tokens.map(({ text }) => text))
  expect(spans[21]!.getAttribute('title')).toBe(
    'place 21, id 21, policy; log-probability: sampler −0.500, trainer −0.400; advantage 0.837; ratio 1.11; KL 0.010; value 0.500',
  )
  const policy = view.tokens.filter(({ mask }) => mask === 1)
  for (const section of sections.slice(1, 6))
    expect(section.querySelectorAll('span[title]')).toHaveLength(policy.length)
})

it('in static outputs nothing depends on colours: numbers stand in tables, all tokens among them', async () => {
  const html = await htmlOf(
    viewOf(500, (place) => ` word${place}`),
    true,
  )
  expect(html).not.toMatch(/style|<script|data:/)
  const document = assertHarmless(html)
  const [parts, tokens] = [...document.querySelectorAll('table')]
  expect(parts!.querySelectorAll('tbody tr')).toHaveLength(1 + 2 * 24)
  expect(tokens!.querySelectorAll('tbody tr')).toHaveLength(500)
})

it('tokens that look like markup, hide or turn round are text that is seen', async () => {
  const texts = ['<script>alert(1)</script>', '</span>', '" title="x', '\u202E', '\u200B', '\n', '\t', '', '\u0000']
  for (const isStatic of [false, true]) {
    const document = assertHarmless(
      await htmlOf(
        viewOf(40, (place) => texts[place % texts.length]!),
        isStatic,
      ),
    )
    expect(document.body.textContent).toContain('<script>alert(1)</script>')
  }
  const seen = assertHarmless(await htmlOf(viewOf(9, (place) => texts[place]!))).querySelectorAll('span[title]')
  expect([...seen].map((span) => span.textContent)).toEqual([
    ...texts.slice(0, 3),
    ...['\\u{202e}', '\\u{200b}', '↵\n', '⇥', '⋯', '\\u{0}'],
  ])
  const inTables = [...texts, ' a', '\n\n']
  const document = assertHarmless(
    await htmlOf(
      viewOf(inTables.length, (place) => inTables[place]!),
      true,
    ),
  )
  const [parts, tokens] = [...document.querySelectorAll('table')].map((table) =>
    [...table.querySelectorAll('tbody tr')].map((row) => row.querySelectorAll('td')[2]!.textContent),
  )
  expect(tokens!.slice(2)).toEqual([...['"␣title="x', '\\u{202e}', '\\u{200b}', '↵', '⇥', '⋯', '\\u{0}', '␣a', '↵↵']])
  expect(parts!.join()).not.toMatch(/[\p{Cc}\p{Cf}]/u)
})

it('values that are no finite numbers have no colour and break nothing', async () => {
  const view = viewOf(60, () => ' x')
  view.tokens[25]!.ratio = Infinity
  view.tokens[26]!.kl = NaN
  const html = await htmlOf(view)
  expect(html).not.toMatch(/background-color: ?[^# ]/)
  expect(html).toContain('ratio Infinity')
})

it('without anything to compare with, it shows where tokens come from', async () => {
  const { algorithm: _, reward: __, klEstimator: ___, ...about } = viewOf(0, () => '')
  const empty = assertHarmless(await htmlOf({ ...about, answer: null }))
  expect(empty.body.textContent).toContain('no answer (answer); 0 tokens')
  expect(empty.querySelectorAll('details')).toHaveLength(2)
})

it('text stays readable on the strongest colours, on light and dark paper', () => {
  const luminance = (rgb: readonly number[]): number => {
    const [r, g, b] = rgb.map((c) => (c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4))
    return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
  }
  for (const [paper, ink] of [
    [255, 33],
    [17, 255],
  ] as const) {
    for (const value of [-1, 1]) {
      const bytes = [...Buffer.from(valueColour(value, 1)!.slice(1), 'hex')]
      const behind = bytes.slice(0, 3).map((c) => (c * bytes[3]!) / 255 + paper * (1 - bytes[3]! / 255))
      const [dark, light] = [luminance(behind), luminance([ink, ink, ink])].sort((a, b) => a - b)
      expect((light! + 0.05) / (dark! + 0.05)).toBeGreaterThan(4.5)
    }
  }
})
