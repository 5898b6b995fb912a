import { table } from 'arquero'
import fc from 'fast-check'
import { JSDOM } from 'jsdom'
import { describe, expect, it, test, vi } from 'vitest'
import { liveTraining } from '../../src/display/live-training.js'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import type { ShowOptions } from '../../src/display/mime-bundle.js'
import { display } from '../../src/display/notebook.js'
import { MINI_DATASETS } from '../../src/dataset/mini.js'
import * as plot from '../../src/plot/index.js'
import { comparisonTable } from '../../src/table/comparison-table.js'
import { trainingTable } from '../../src/table/training-table.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { toDataFrame } from '../../src/table/danfo.js'
import type { Score } from '../../src/schema/score.js'
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
    expect(
      [...element.attributes].map(({ name }) => name).filter((name) => name !== 'style' && name !== 'title'),
    ).toEqual([])
  }
  return document
}

/** The HTML that a notebook stores for a value. */
const html = async (value: unknown, options: ShowOptions = {}): Promise<string> =>
  String((await toMimeBundle(value, options))['text/html'])

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
    return fc.assert(
      fc.asyncProperty(record, async (parts) => {
        const document = assertHarmless(await html(trajectory(parts)))
        const shown = document.body.textContent ?? ''
        for (const part of [parts.question, parts.text]) {
          expect(shown.replace(/\s+/g, ' ')).toContain(part.replace(/\r\n?|\0/g, '').replace(/\s+/g, ' '))
        }
      }),
      { numRuns: 60 },
    )
  })

  it('marks what is thought, searched, given and answered', async () => {
    const { document } = new JSDOM(await html(trajectory(plain))).window
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

  it('says where it failed', async () => {
    const failed = { ...trajectory(plain), failure: { boundary: 'search', message: 'no <network>' } } as Trajectory
    expect(assertHarmless(await html(failed)).body.textContent).toContain('failed in search: no <network>')
  })
})

describe('a table', () => {
  const texts = (source: string, selector = 'td'): (string | null)[] =>
    [...new JSDOM(source).window.document.querySelectorAll(selector)].map((cell) => cell.textContent)

  it('shows cells and column names as text', () =>
    fc.assert(
      fc.asyncProperty(
        nasty.filter((name) => name !== '__proto__'),
        nasty,
        async (name, cell) => {
          const document = assertHarmless(await html(table({ [name || 'x']: [cell] })))
          expect(document.querySelectorAll('td')).toHaveLength(1)
        },
      ),
      { numRuns: 60 },
    ))

  it('gives the numbers of a column the same decimals, as many as its smallest needs', async () => {
    expect(texts(await html(table({ em: [0.5, 1, 0] })))).toEqual(['0.500', '1.000', '0.000'])
    expect(texts(await html(table({ kl: [0.25, 0.00012] })))).toEqual(['0.25000', '0.00012'])
    expect(texts(await html(table({ p: [0.25, 1.2e-9] })))).toEqual(['2.50e-1', '1.20e-9'])
    expect(texts(await html(table({ n: [200, -3], x: [null, NaN] })))).toEqual(['200', '', '-3', 'NaN'])
    expect(await html(table({ n: [1], s: ['a'] }))).toMatch(/text-align: right;">n<.*text-align: left;">s</)
  })

  it('shows the ends of a long or wide one, and how large it is', async () => {
    const long = table({ row: Array.from({ length: 1234 }, (_, i) => i) })
    const rows = texts(await html(long))
    expect(rows).toEqual([...Array(10).keys(), '⋯', ...Array.from({ length: 10 }, (_, i) => 1224 + i)].map(String))
    expect(await html(long)).toContain('<div>1,234 rows × 1 columns</div>')
    const wide = table(Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`c${i}`, [i]])))
    expect(texts(await html(wide), 'th')[8]).toBe('⋯')
    expect(texts(await html(wide), 'th')).toHaveLength(17)
  })

  it('keeps the order that it was given, or is sorted by a column, empty cells last', async () => {
    const given = table({ a: ['b', 'c', 'a'], n: [2, null, 3] })
    expect(texts(await html(given.orderby('a')))).toEqual(['a', '3', 'b', '2', 'c', ''])
    expect(texts(await html(given, { sort: '-n' }))).toEqual(['a', '3', 'b', '2', 'c', ''])
    expect(texts(await html(given, { sort: 'n' }))).toEqual(['b', '2', 'a', '3', 'c', ''])
    await expect(html(given, { sort: 'm' })).rejects.toThrow('display: sort must name a column (a, n), got m')
  })

  it('of Danfo shows its row labels, a Series too', async () => {
    const frame = await toDataFrame(table({ name: ['<a>', 'b'], em: [0.5, 1] }))
    expect(texts(await html(frame), 'th')).toEqual(['', 'name', 'em', '0', '1'])
    expect(texts(await html(frame))).toEqual(['<a>', '0.500', 'b', '1.000'])
    expect(texts(await html(frame, { sort: '-em' }), 'th')).toEqual(['', 'name', 'em', '1', '0'])
    expect(texts(await html(frame['em']))).toEqual(['0.500', '1.000'])
  })

  it('cuts long texts, whole in the tooltip, and is columns of text in a terminal', async () => {
    const long = 'x'.repeat(300)
    const document = assertHarmless(await html(table({ text: [long] })))
    expect(document.querySelector('td')!.textContent).toBe(`${'x'.repeat(79)}…`)
    expect(document.querySelector('td')!.title).toBe(long)
    const bundle = await toMimeBundle(table({ name: ['a', 'long'], n: [10, 2] }))
    expect(bundle['text/plain']).toBe('name   n\na     10\nlong   2')
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

  it('are an object’s own where it has one', async () => {
    const own = { [Symbol.for('Jupyter.display')]: () => ({ 'text/html': '<b>own</b>' }), data: [], layout: {} }
    expect(await toMimeBundle(own)).toMatchObject({ 'text/html': '<b>own</b>' })
  })

  it('print as text outside of a notebook', async () => {
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
    await display(table({ a: [1, 2] }))
    expect(log.mock.calls).toEqual([['a\n1\n2']])
    log.mockRestore()
  })
})

describe('static outputs', () => {
  const figure = { data: [{ type: 'bar', x: ['a'], y: [1] }], layout: { width: 200, height: 150 } }
  const values = {
    trajectory: trajectory(plain),
    documents: [{ title: 'T', text: 'one', rank: 1 }],
    table: table({ a: [1] }),
  }
  it.each(Object.entries(values))('of a %s are HTML without styles, scripts and data URIs', async (_, value) => {
    const bundle = JSON.stringify(await toMimeBundle(value, { static: true }))
    expect(bundle).not.toMatch(/style=|<script|data:|plotly/)
  })

  it('are chosen for all by the environment', async () => {
    vi.stubEnv('ZEROSEARCH_STATIC', '1')
    expect(Object.keys(await toMimeBundle(figure))).toEqual(['image/png'])
    vi.unstubAllEnvs()
    expect(Object.keys(await toMimeBundle(figure))).toContain('application/vnd.plotly.v1+json')
  })
})

test('twenty figures stay under 5 MB', async () => {
  const rows = ['before', 'after', 'ceiling'].flatMap((method) =>
    MINI_DATASETS.flatMap((dataset) =>
      Array.from({ length: 100 }, (_, i) => ({
        method,
        dataset,
        questionId: String(i),
        answer: '',
        em: i % 3 ? 1 : 0,
        coverEm: 1,
        f1: 1,
        searches: 1,
        answered: 1,
      })),
    ),
  )
  const updates = Array.from({ length: 200 }, (_, i) => ({
    ...record,
    update: i + 1,
    reward: Math.random(),
    em: Math.random(),
    kl: Math.random(),
  }))
  const bundles = await Promise.all(
    [
      plot.comparison(comparisonTable(rows as Score[])),
      plot.trainingCurves(trainingTable(updates as UpdateRecord[])),
    ].map((each) => toMimeBundle(each)),
  )
  const size = bundles.reduce((sum, bundle) => sum + JSON.stringify(bundle).length, 0)
  expect(10 * size).toBeLessThan(5e6)
})

const record = { reward: 0.25, em: 0.2, noiseThreshold: 0.1, searchesPerQuestion: 1, kl: 0.001 }

test('live training draws one picture a curve, and ends without a bar', async () => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
  const live = liveTraining(2)
  await live({ update: 1, ...record } as UpdateRecord)
  expect(log.mock.calls[0]![0]).toMatch(/^update 1\/2, [\d.]+ s each, about \d+ s left: reward 0.250, EM 0.200$/)
  await live({ update: 2, ...record } as UpdateRecord)
  log.mockRestore()
})
