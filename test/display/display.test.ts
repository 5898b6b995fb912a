import { inspect } from 'node:util'
import { table } from 'arquero'
import { JSDOM } from 'jsdom'
import { describe, expect, it, test, vi } from 'vitest'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import type { ShowOptions } from '../../src/display/mime-bundle.js'
import { display } from '../../src/display/notebook.js'
import { showProgress } from '../../src/display/task-progress.js'
import { withProgress } from '../../src/host/progress.js'
import { MINI_DATASETS } from '../../src/mini/dataset.js'
import * as plot from '../../src/plot/index.js'
import { comparisonTable } from '../../src/table/comparison-table.js'
import { trainingTable } from '../../src/table/training-table.js'
import type { Trajectory, Turn } from '../../src/schema/trajectory.js'
import { uniform } from '../../src/random/seeded-random.js'
import { toDataFrame } from '../../src/table/danfo.js'
import type { Score } from '../../src/schema/score.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { trajectory } from './every-kind.js'
import { assertHarmless } from './harmless.js'

const plain = {
  question: 'Capital of Peru?',
  thought: 'Hm.',
  query: 'Peru',
  title: 'Peru',
  text: 'Its capital is Lima.',
  answer: 'Lima',
}

/** The HTML that a notebook stores for a value. */
const html = async (value: unknown, options: ShowOptions = {}): Promise<string> =>
  String((await toMimeBundle(value, options))['text/html'])

describe('a trajectory', () => {
  it('marks what is thought, searched, given and answered', async () => {
    const { document } = new JSDOM(await html(trajectory(plain))).window
    const blocks = [...document.querySelectorAll('b')].map(
      (b) => `${b.textContent} ${b.nextSibling?.textContent ?? ''}`,
    )
    expect(blocks.map((text) => text.replace(/\s+/g, ' ').trim())).toEqual([
      'Capital of Peru?',
      'think Hm.',
      'search Peru',
      'information 1 document, useful',
      'Peru : Its capital is Lima.',
      'answer Lima',
    ])
    expect(document.querySelector('details li')?.textContent).toBe('Peru: Its capital is Lima.')
    expect(document.body.textContent).toContain('EM 1, F1 1.00')
  })

  it('shows the correction of an invalid action, and its label stays in the line that opens it', async () => {
    const correction = '<information> My action is not valid. </information>'
    const turn: Turn = {
      text: 'Lima, I think.',
      action: { kind: 'invalid', cause: 'neither <search> nor <answer>' },
      observation: { text: correction, documents: [] },
    }
    const document = assertHarmless(await html({ ...trajectory(plain), turns: [turn] }))
    expect(document.body.textContent).not.toContain('no documents')
    const { details, summary } = {
      details: document.querySelector('details')!,
      summary: document.querySelector('summary')!,
    }
    expect(summary.textContent).toBe('correction neither <search> nor <answer>')
    expect(details.textContent).toContain(correction)
    // Nothing stands beside what opens, which would move down with it.
    expect(details.parentElement!.childNodes).toHaveLength(1)
    expect(details.getAttribute('style')).toBeNull()
  })

  it('says that a search found nothing', async () => {
    const turn: Turn = {
      text: '<search>x</search>',
      action: { kind: 'search', query: 'x' },
      observation: { text: '<information></information>', documents: [] },
    }
    expect(await html({ ...trajectory(plain), turns: [turn] })).toContain('<b>information</b> no documents')
  })

  it('says where it failed', async () => {
    const failed = { ...trajectory(plain), failure: { boundary: 'search', message: 'no <network>' } } as Trajectory
    expect(assertHarmless(await html(failed)).body.textContent).toContain('failed in search: no <network>')
  })
})

describe('a table', () => {
  const texts = (source: string, selector = 'td'): (string | null)[] =>
    [...new JSDOM(source).window.document.querySelectorAll(selector)].map((cell) => cell.textContent)

  it('gives the numbers of a column the same decimals, as many as its smallest needs', async () => {
    expect(texts(await html(table({ em: [0.5, 1, 0] })))).toEqual(['0.500', '1.000', '0.000'])
    expect(texts(await html(table({ kl: [0.25, 0.00012] })))).toEqual(['0.25000', '0.00012'])
    expect(texts(await html(table({ p: [0.25, 1.2e-9] })))).toEqual(['0.250', '1.20e-9'])
    expect(texts(await html(table({ n: [200, -3], x: [null, NaN] })))).toEqual(['200', '', '-3', 'NaN'])
    expect(await html(table({ n: [1], s: ['a'] }))).toMatch(/text-align: right;">n<.*text-align: left;">s</)
  })

  it('has its best values in bold, of the whole table or within the values of a column', async () => {
    const results = table({ set: ['a', 'a', 'b'], em: [0.2, 0.5004, 0.1], text: ['12.5', '3.0', '+9'] })
    const bold = async (options: ShowOptions): Promise<unknown> => texts(await html(results, options), 'b')
    expect(await bold({ best: { em: 'max' } })).toEqual(['0.500'])
    expect(await bold({ best: { em: 'max' }, within: 'set' })).toEqual(['0.500', '0.100'])
    expect(await bold({ best: 'min', sort: '-em' })).toEqual(['3.0', '0.100'])
    await expect(bold({ best: { f1: 'max' } })).rejects.toThrow(
      'display: there is no column f1; the columns are set, em',
    )
  })

  it('breaks its texts where it would be wider than the page', async () => {
    const wide = table(Object.fromEntries(Array.from({ length: 12 }, (_, i) => [`c${i}`, ['a text of several words']])))
    expect(await html(wide)).not.toContain('nowrap')
    expect(await html(wide.select('c0', 'c1'))).toContain('nowrap')
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

  it('shows every column of a comparison, in smaller letters', async () => {
    const score = {
      method: 'm',
      dataset: 'nq',
      questionId: '1',
      answer: 'x',
      em: 1,
      coverEm: 1,
      f1: 1,
      searches: 1,
      answered: 1,
    }
    const compared = comparisonTable([score])
    const shown = await html(compared)
    expect(texts(shown, 'th')).toEqual(compared.columnNames())
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

describe('cells', () => {
  const first = async (value: unknown): Promise<string> =>
    new JSDOM(await html(table({ value: [value] }))).window.document.querySelector('td')!.textContent ?? ''

  it('show whatever a table can hold', async () => {
    const cyclic: Record<string, unknown> = {}
    cyclic['self'] = cyclic
    expect(await first(cyclic)).toBe('<ref *1> { self: [Circular *1] }')
    expect(await first({ n: 1n })).toBe('{ n: 1n }')
    expect(await first(12n)).toBe('12')
    expect(await first(['a', 2])).toBe("[ 'a', 2 ]")
    expect(await first(['Lima', 'Ica'])).toBe('Lima, Ica')
    expect(await first(new Date(0))).toBe('1970-01-01T00:00:00.000Z')
    expect(await first(new Date(NaN))).toBe('Invalid Date')
    expect(await first(Symbol('s'))).toBe('Symbol(s)')
    expect(await first(true)).toBe('true')
  })

  it('are not cut within a character, which could not be saved', async () => {
    for (const long of ['😀'.repeat(800), `x${'😀'.repeat(800)}`]) {
      const bundle = await toMimeBundle(table({ text: [long] }))
      expect(JSON.stringify(bundle)).not.toMatch(/\\ud[89a-f]/)
    }
  })
})

describe('MIME bundles', () => {
  it('of values that only look like ours are as Node prints them', async () => {
    const lookalikes = [
      { data: [1, 2], layout: {} },
      { turns: [1], lossMask: [] },
      [{ text: 1, rank: 2 }],
      [{ text: 'a', rank: 1, title: 5 }],
      { columnNames: ['a'], indices: [0] },
    ]
    for (const value of lookalikes) expect(await toMimeBundle(value)).toEqual({ 'text/plain': inspect(value) })
  })

  it('of figures hold typed arrays as arrays, and say why there is no picture', async () => {
    const layout = { width: 200, height: 150 }
    const typed = await toMimeBundle({ data: [{ type: 'bar', y: new Float32Array([1, 0.5]) }], layout })
    expect(typed['application/vnd.plotly.v1+json']).toEqual({ data: [{ type: 'bar', y: [1, 0.5] }], layout })
    const solid = { data: [{ type: 'surface', z: [[1]] }], layout }
    const bundle = await toMimeBundle(solid)
    expect(bundle['application/vnd.plotly.v1+json']).toEqual(solid)
    expect(bundle['text/html']).toMatch(/^<div>Plotly figure without a picture: [^<]*got surface/)
    expect(Object.keys(await toMimeBundle(solid, { static: true }))).toEqual(['text/html', 'text/plain'])
  })

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
    reward: uniform(0, i),
    em: uniform(1, i),
    kl: uniform(2, i),
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

test('a training shows one bar with a curve for each measure, and ends without the bar', async () => {
  const shown: { html: string; text: string }[] = []
  vi.stubGlobal('Jupyter', {
    display: (bundle: Record<string, string>) =>
      Promise.resolve(void shown.push({ html: bundle['text/html']!, text: bundle['text/plain']! })),
  })
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
  const stop = showProgress()
  try {
    await withProgress({ title: 'train', unit: 'updates', total: 2 }, async (report) => {
      const records: UpdateRecord[] = []
      report(0, { results: records })
      await vi.advanceTimersByTimeAsync(1500)
      expect(shown.at(-1)!.text).toBe('train: 0/2 updates, 1.0 s so far')
      // What is no finite number is a gap.
      for (const kl of [0.1, NaN]) {
        records.push({ update: 1, ...record, kl } as UpdateRecord)
        report(records.length, { results: records, note: 'reward 0.250' })
        await vi.advanceTimersByTimeAsync(1000)
      }
    })
  } finally {
    stop()
    vi.useRealTimers()
    vi.unstubAllGlobals()
  }
  expect(shown.some(({ text }) => /^train: 1\/2 updates, .* left · reward 0\.250$/.test(text))).toBe(true)
  const last = shown.at(-1)!
  expect(last.text).toBe('train: 2 updates in 3.5 s (1.8 s each)')
  expect(last.html).not.toContain('height: 6px')
  const images = [...last.html.matchAll(/base64,([^"]+)"/g)].map((match) => Buffer.from(match[1]!, 'base64').toString())
  expect(images).toHaveLength(6)
  for (const svg of images) expect(svg).not.toMatch(/points="[^"]*(NaN|Infinity)/)
  expect(images[4]).toMatch(/points="6\.0,22\.0"/)
})

test('the package registers one formatter, however often it is loaded', async () => {
  const formatters = (): { name: string }[] =>
    (globalThis as unknown as Record<symbol, { name: string }[]>)[Symbol.for('Jupyter.formatters')]!
  const [before] = formatters()
  vi.resetModules()
  await import('../../src/display/notebook.js')
  expect(formatters().map(({ name }) => name)).toEqual(['zerosearch'])
  expect(formatters()[0]).not.toBe(before)
})
