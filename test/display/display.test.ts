import { table } from 'arquero'
import fc from 'fast-check'
import { JSDOM } from 'jsdom'
import { describe, expect, it, test, vi } from 'vitest'
import { liveTraining } from '../../src/display/live-training.js'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import { display } from '../../src/display/notebook.js'
import { tableHtml } from '../../src/display/table-html.js'
import { trajectoryHtml } from '../../src/display/trajectory-html.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'

const trajectory = (parts: {
  question: string
  thought: string
  query: string
  title: string
  text: string
  answer: string
}): Trajectory => ({
  question: { id: 'q', dataset: 'd', question: parts.question, goldAnswers: [parts.answer] },
  turns: [
    {
      text: `<think> ${parts.thought}</think><search> ${parts.query}</search>`,
      action: { kind: 'search', query: parts.query },
      observation: { text: '', documents: [{ title: parts.title, text: parts.text, rank: 1 }], quality: 'useful' },
    },
    { text: `<answer> ${parts.answer}</answer>`, action: { kind: 'answer', answer: parts.answer } },
  ] as Trajectory['turns'],
  ids: [],
  lossMask: [],
  logprobs: [],
  promptLength: 0,
  answer: parts.answer,
  stopReason: 'answer',
  searches: 1,
  seed: 0,
})
const plain = {
  question: 'Capital of Peru?',
  thought: 'Hm.',
  query: 'Peru',
  title: 'Peru',
  text: 'Its capital is Lima.',
  answer: 'Lima',
}

/** Texts that try to be markup. */
const nasty = fc.oneof(
  fc.string(),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '<img src=x onerror=alert(1)>',
    '"><b onmouseover=alert(1)>',
    "' onload='x",
    '</details></div><iframe src=//e>',
    '&lt;script&gt;',
    '<style>*{}</style>',
  ),
)
const ALLOWED = new Set(['DIV', 'B', 'DETAILS', 'SUMMARY', 'OL', 'LI', 'TABLE', 'THEAD', 'TBODY', 'TR', 'TH', 'TD'])

function assertHarmless(html: string): Document {
  const { document } = new JSDOM(`<body>${html}</body>`).window
  for (const element of document.body.querySelectorAll('*')) {
    expect(ALLOWED).toContain(element.tagName)
    expect([...element.attributes].map(({ name }) => name).filter((name) => name !== 'style')).toEqual([])
  }
  return document
}

describe('a trajectory', () => {
  it('shows whatever a policy, a document or a question says as text', () => {
    const record = fc.record({
      question: nasty,
      thought: nasty,
      query: nasty,
      title: nasty,
      text: nasty,
      answer: nasty,
    })
    fc.assert(
      fc.property(record, (parts) => {
        const document = assertHarmless(trajectoryHtml(trajectory(parts)))
        const shown = document.body.textContent ?? ''
        for (const part of [parts.question, parts.text]) {
          expect(shown.replace(/\s+/g, ' ')).toContain(part.replace(/\r\n?|\0/g, '').replace(/\s+/g, ' '))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('marks what is thought, searched, given and answered', () => {
    const { document } = new JSDOM(trajectoryHtml(trajectory(plain))).window
    const blocks = [...document.querySelectorAll('div > b')].map(
      (b) => `${b.textContent} ${b.nextSibling?.textContent ?? ''}`,
    )
    expect(blocks.map((text) => text.replace(/\s+/g, ' ').trim())).toEqual([
      'Capital of Peru?',
      'think Hm.',
      'search Peru',
      'information',
      'answer Lima',
    ])
    expect(document.querySelector('details li')?.textContent).toBe('Peru: Its capital is Lima.')
    expect(document.body.textContent).toContain('EM 1, F1 1.00')
  })

  it('says where it failed', () => {
    const failed = { ...trajectory(plain), failure: { boundary: 'search', message: 'no <network>' } } as Trajectory
    expect(assertHarmless(trajectoryHtml(failed)).body.textContent).toContain('failed in search: no <network>')
  })
})

describe('a table', () => {
  it('shows cells and column names as text', () => {
    fc.assert(
      fc.property(
        nasty.filter((name) => name !== '__proto__'),
        nasty,
        (name, cell) => {
          const document = assertHarmless(tableHtml(table({ [name || 'x']: [cell] })))
          expect(document.querySelectorAll('td')).toHaveLength(1)
        },
      ),
      { numRuns: 60 },
    )
  })

  it('rounds numbers, keeps small ones visible, and says what it leaves out', () => {
    const html = tableHtml(table({ value: [0.12345, 0.0000123, 7, null] }), 3)
    const cells = [...new JSDOM(html).window.document.querySelectorAll('td')].map((cell) => cell.textContent)
    expect(cells).toEqual(['0.123', '1.23e-5', '7'])
    expect(html).toContain('showing 3 of 4 rows')
  })
})

describe('MIME bundles', () => {
  it('give every viewer something', async () => {
    expect(Object.keys(await toMimeBundle(table({ a: [1] })))).toEqual(['text/html', 'text/plain'])
    expect(Object.keys(await toMimeBundle(trajectory(plain)))).toEqual(['text/html', 'text/plain'])
    expect(await toMimeBundle('text')).toEqual({ 'text/plain': 'text' })
    expect(await toMimeBundle([{ title: 'T', text: 'one', rank: 1 }])).toMatchObject({ 'text/plain': '1. one' })
    const figure = { data: [{ type: 'bar', x: ['a'], y: [1] }], layout: { width: 200, height: 150 } }
    const bundle = await toMimeBundle(figure)
    expect(bundle['application/vnd.plotly.v1+json']).toEqual(figure)
    expect(bundle['text/html']).toMatch(/^<img alt="figure" style="[^"]+" src="data:image\/png;base64,iVBOR/)
    expect(Object.keys(await toMimeBundle(figure, { static: true }))).toEqual(['image/png'])
  })

  it('print as text outside of a notebook', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
    await display(table({ a: [1, 2] }))
    expect(log.mock.calls).toEqual([['2 rows × 1 columns: a']])
    log.mockRestore()
  })
})

test('live training draws one picture a curve, and ends without a bar', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const live = liveTraining(2)
  const record = { reward: 0.25, em: 0.2, noiseThreshold: 0.1, searchesPerQuestion: 1, kl: 0.001 }
  await live({ update: 1, ...record } as UpdateRecord)
  expect(log.mock.calls[0]![0]).toMatch(/^update 1\/2, [\d.]+ s each, about \d+ s left: reward 0.250, EM 0.200$/)
  await live({ update: 2, ...record } as UpdateRecord)
  log.mockRestore()
})
