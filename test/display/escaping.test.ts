// Texts that try to be markup show as text, whatever kind of output they are in.
import fc from 'fast-check'
import { expect, it } from 'vitest'
import { everyKind, pictures, trajectory } from './every-kind.js'
import { assertHarmless } from './harmless.js'
import { toMimeBundle } from '../../src/display/mime-bundle.js'

const nasty = fc.oneof(
  fc.string(),
  fc.string({ unit: fc.constantFrom('<', '>', '"', "'", '&', '/', '=', '-', '!', 'a', ' ', '\n') }),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><b onmouseover=alert(1)>',
    "' onload='x",
    '</div></td></table></details></pre></summary><iframe src=//e>',
    '&lt;script&gt;',
    '<style>*{}</style>',
    '<!--',
  ),
)

it('every kind of output is made of known elements and attributes alone', () =>
  fc.assert(
    fc.asyncProperty(nasty, async (text) => {
      for (const [kind, bundle] of Object.entries(await everyKind(text))) {
        const document = assertHarmless(String(bundle['text/html']))
        // One block, with its size below it where it was cut: no text ended it early.
        expect(document.body.childNodes.length, kind).toBe(kind === 'long table' ? 2 : 1)
        expect(bundle['text/plain'], kind).toBeTypeOf('string')
      }
    }),
    { numRuns: 50 },
  ))

it('a trajectory shows whatever a policy, a document or a question says', () => {
  const parts = { question: nasty, thought: nasty, query: nasty, title: nasty, text: nasty, answer: nasty }
  return fc.assert(
    fc.asyncProperty(fc.record(parts), async (record) => {
      const bundle = await toMimeBundle(trajectory(record))
      const shown = assertHarmless(String(bundle['text/html'])).body.textContent ?? ''
      for (const part of [record.question, record.text]) {
        expect(shown.replace(/\s+/g, ' ')).toContain(part.replace(/\r\n?|\0/g, '').replace(/\s+/g, ' '))
      }
    }),
    { numRuns: 60 },
  )
})

it('pictures are data URIs', async () => {
  for (const bundle of Object.values(await pictures())) {
    const document = assertHarmless(String(bundle['text/html']))
    expect(document.querySelectorAll('img').length).toBeGreaterThan(0)
  }
})
