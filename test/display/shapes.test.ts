// What a cell ends with is readable: every kind of record, alone and in arrays, and what the user makes explicitly.
import { inspect } from 'node:util'
import { JSDOM } from 'jsdom'
import { describe, expect, it } from 'vitest'
import { html, markdown, png, svg } from '../../src/display/explicit.js'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import type { ShowOptions } from '../../src/display/mime-bundle.js'
import { records } from './records.js'

const text = async (value: unknown, options?: ShowOptions): Promise<string> =>
  String((await toMimeBundle(value, options))['text/plain'])
const cells = async (value: unknown, selector = 'td'): Promise<(string | null)[]> => {
  const source = (await toMimeBundle(value))['text/html'] as string
  return [...new JSDOM(source).window.document.querySelectorAll(selector)].map((cell) => cell.textContent)
}

describe('one record', () => {
  it('that is a model tells what it is, how large, and how much it reads', async () => {
    expect(await text(records.model)).toBe(
      [
        'name         policy',
        'family       qwen2',
        'parameters   524,416 (524 k)',
        'dtype        float32',
        'memory       2.10 MB of weights',
        'layers       4',
        'hidden size  128',
        'vocabulary   4,096',
        'context      512 ids',
      ].join('\n'),
    )
    const adapter = { rank: 8, alpha: 16, dropout: 0.05, targets: ['q_proj', 'v_proj'], weights: records.model.weights }
    const shown = (await text({ ...records.model, adapter })).split('\n')
    expect(shown).toContain('adapter      rank 8, alpha 16, dropout 0.05, on q_proj, v_proj')
    expect(shown).toContain('trained      524,416 (524 k), 50.0 % of all parameters')
    const { config: _, weights: __, ...remote } = records.model
    expect(await text(remote)).toBe('name     policy\ncontext  512 ids')
    const usage = { completions: 1200, failures: 3, promptTokens: 50_000, completionTokens: 9000, cost: 0.25 }
    expect(await cells({ ...remote, baseUrls: ['http://a/v1', 'http://b/v1'], usage })).toEqual([
      'policy',
      '512 ids',
      'http://a/v1, http://b/v1',
      '1,200',
      '3',
      '50,000 read, 9,000 written',
      '0.25',
    ])
  })

  it('that is a cached model tells how often the text was there', async () => {
    const model = { name: 'm', complete: () => undefined }
    const fields = (cache: object) => cells({ name: 'm', complete: () => undefined, model, cache })
    expect(await fields({ hits: 3, misses: 1, damaged: 0 })).toEqual(['m', '3 of 4 texts (75.0 %)'])
    expect(await fields({ hits: 0, misses: 0, damaged: 0 })).toEqual(['m', 'nothing asked yet'])
    expect(await fields({ hits: 0, misses: 2, damaged: 1 })).toEqual(['m', '0 of 2 texts (0.0 %), 1 damaged'])
  })

  it('that is a generation tells its text, its length and why it ended', async () => {
    expect(await cells(records.generation)).toEqual(['Lima', '2', 'eos', '-0.375 nats per token'])
    const none = { ids: [], logprobs: [], text: '', stopReason: 'full' }
    expect(await cells(none)).toEqual(['', '0', 'full'])
  })

  it('that is a completion tells its text and why it ended', async () => {
    expect(await cells(records.completion)).toEqual(['Lima', '</answer>', '2', '9'])
    const ended = { text: 'Lima', finishReason: 'end', promptTokens: 9, completionTokens: 2 }
    expect(await cells(ended)).toEqual(['Lima', 'end', '2', '9'])
  })

  it('that is a simulation shows its documents, and the text that they were read in', async () => {
    expect(await cells(records.simulation, 'li')).toEqual(['Its capital is Lima.'])
    const nothing = { documents: [], text: '<b>No.</b>' }
    const { 'text/html': source } = await toMimeBundle(nothing)
    expect(source).toContain('no documents could be read')
    expect(source).toContain('&lt;b&gt;No.&lt;/b&gt;')
  })

  it('that is a trajectory shows text in which no documents could be read', async () => {
    const [, , ...turns] = records.trajectory.turns
    const observation = { text: '<information></information>', documents: [], unread: 'Sorry, <b>no</b>.' }
    const action = { kind: 'search', query: 'Peru' } as const
    const trajectory = { ...records.trajectory, turns: [{ text: '', action, observation }, ...turns] }
    const { 'text/html': source } = await toMimeBundle(trajectory)
    expect(source).toContain('no documents could be read')
    expect(source).toContain('Sorry, &lt;b&gt;no&lt;/b&gt;.')
  })

  it('that is a language model tells its name', async () => {
    expect(await text({ name: 'remote', complete: () => undefined })).toBe('name  remote')
  })

  it('cuts a text without end, and says how long it is', async () => {
    const [cut] = (await cells({ ...(records.question as object), question: 'x'.repeat(5000) })).filter((cell) =>
      cell!.startsWith('xx'),
    )
    expect(cut).toBe(`${'x'.repeat(1999)}… (5,000 characters)`)
  })

  it('of every kind has its fields in HTML and in text', async () => {
    for (const [kind, record] of Object.entries(records)) {
      const bundle = await toMimeBundle(record)
      expect(Object.keys(bundle), kind).toEqual(['text/html', 'text/plain'])
    }
  })
})

describe('an array of records', () => {
  const many = <T>(record: T, count: number): T[] => Array.from({ length: count }, () => record)

  it.each([
    ['questions', records.question],
    ['scores', records.score],
    ['updates', records['update record']],
    ['trajectories', records.trajectory],
    ['steps', records['step of supervised training']],
  ])('of %s is a table with their number, cut where it is long', async (plural, record) => {
    expect(await text(many(record, 3))).toMatch(new RegExp(`\\n3 ${plural}$`))
    const long = many(record, 1234)
    expect(await text(long)).toMatch(new RegExp(`\\n1,234 ${plural}$`))
    expect(await cells(long, 'tr')).toHaveLength(22)
  })

  it('has a column for each field that any of them has, and sorts by it', async () => {
    const { metrics: _, ...first } = records['update record']
    const updates = [first, { ...first, update: 2, metrics: { validationEm: 0.5 } }]
    expect(await cells(updates, 'th')).toContain('validationEm')
    expect(await text(updates, { sort: '-update' })).toMatch(/\n +2 .*\n +1 /)
  })

  it('that are wider than the page scroll, and long names of columns break between words', async () => {
    const source = String((await toMimeBundle([records['update record'], records['update record']]))['text/html'])
    expect(source).toMatch(/^<div style="overflow-x: auto;"><table/)
    expect(source).toContain('searches<wbr />Per<wbr />Question</th>')
    expect(source).toMatch(/<\/table><\/div><div>2 updates<\/div>$/)
  })

  it('of documents is a list, and a mixed or empty one is as Node prints it', async () => {
    expect(await cells([records.document, records.document], 'li')).toHaveLength(2)
    for (const value of [[], [records.question, 5], [records.question, records.score]])
      expect(await toMimeBundle(value)).toEqual({ 'text/plain': inspect(value) })
  })

  it('of 200,000 questions takes no second', async () => {
    const start = performance.now()
    expect(await text(many(records.question, 200_000))).toContain('200,000 questions')
    expect(performance.now() - start).toBeLessThan(5000)
  })
})

describe('what the user makes explicitly', () => {
  it('is HTML, Markdown, PNG and SVG as given; a string is text', async () => {
    expect(await toMimeBundle('<b>x</b>')).toEqual({ 'text/plain': '<b>x</b>' })
    expect(await toMimeBundle(html('<b>x</b>\n<script>1</script>'))).toMatchObject({
      'text/html': '<b>x</b>\n<script>1</script>',
    })
    expect(await toMimeBundle(markdown('**x**'))).toEqual({ 'text/markdown': '**x**', 'text/plain': '**x**' })
    const drawing = '<svg xmlns="http://www.w3.org/2000/svg" width="4" height="3"/>'
    expect(await toMimeBundle(svg(drawing))).toEqual({ 'image/svg+xml': drawing, 'text/plain': 'SVG drawing' })
    const picture = (await toMimeBundle(svg(drawing), { static: true }))['image/png'] as string
    expect(await toMimeBundle(png(Buffer.from(picture, 'base64')))).toEqual({
      'image/png': picture,
      'text/plain': 'PNG picture, 6 × 5',
    })
  })

  it('as a template escapes what is put in', async () => {
    expect(await toMimeBundle(html`<i>${'<b>'}</i>`)).toMatchObject({ 'text/html': '<i>&lt;b&gt;</i>' })
  })

  it('must be what it says', () => {
    expect(() => png(Buffer.from('GIF89a'))).toThrow('png: the bytes must be a PNG file, got 6 bytes')
    expect(() => svg('<b>')).toThrow('svg: the text must hold an svg element, got <b>')
  })

  it('cannot be made by JSON that looks alike', async () => {
    const like = { toView: 'x', 'text/html': '<b>' }
    expect(await toMimeBundle(like)).toEqual({ 'text/plain': inspect(like) })
    const view = { toView: () => ({ 'text/html': '<b>' as never, 'text/plain': 'b' }) }
    expect(await toMimeBundle(view)).toEqual({ 'text/plain': 'b' })
  })
})
