import { writeFileSync } from 'node:fs'
import { describe, expect, it, vi } from 'vitest'
import { drawSubset, mixQuestions } from '../../src/dataset/draw-subset.js'
import { readDocuments } from '../../src/dataset/read-documents.js'
import type { CorpusReport } from '../../src/dataset/read-documents.js'
import { readParagraphs } from '../../src/dataset/read-paragraphs.js'
import { readQrels } from '../../src/dataset/read-qrels.js'
import { writeParquet } from '../../src/file/parquet.js'
import type { Question } from '../../src/schema/question.js'
import { jsonl, writeFixture } from './write-fixture.js'

const hotpot = (id: string, gold: string, context: [string, string[]][]): object => ({
  _id: id,
  question: `${id}?`,
  answer: 'a',
  supporting_facts: [[gold, 0]],
  context,
})

describe('paragraphs', () => {
  it('are documents once each, with the gold ones of each question', async () => {
    const path = await writeFixture(
      'hotpot_dev.json',
      JSON.stringify([
        hotpot('q1', 'Mill', [
          ['Mill', ['The mill.', ' It is  old.']],
          ['Town', ['A town.']],
        ]),
        hotpot('q2', 'Town', [
          ['town', ['A  TOWN.']],
          ['Mill', ['Another mill.']],
          ['Town', ['A town.']],
        ]),
      ]),
    )
    expect(await readParagraphs(path)).toEqual({
      documents: [
        { id: 'hotpotqa-0', title: 'Mill', text: 'The mill. It is old.' },
        { id: 'hotpotqa-1', title: 'Town', text: 'A town.' },
        { id: 'hotpotqa-2', title: 'Mill', text: 'Another mill.' },
      ],
      gold: { 'hotpotqa-q1': ['hotpotqa-0'], 'hotpotqa-q2': ['hotpotqa-1'] },
    })
  })

  it('of a file that has none are refused', async () => {
    const path = await writeFixture('nq.jsonl', jsonl({ question: 'q?', answer: ['a'] }))
    await expect(readParagraphs(path)).rejects.toThrow('has paragraphs; take a file of the distractor setting')
    await expect(readParagraphs([])).rejects.toThrow('read paragraphs: paths must have a length of at least 1')
  })
})

it('documents are read with titles, or with the title as first line', async () => {
  const path = await writeFixture(
    'corpus.jsonl',
    jsonl({ id: 'a', title: 'T', text: 'x' }, { id: 'b', text: 'y' }, { id: 3, contents: '"Tea"\nLeaves\nand water' }),
  )
  expect(await readDocuments(path)).toEqual([
    { id: 'a', title: 'T', text: 'x' },
    { id: 'b', title: '', text: 'y' },
    { id: '3', title: 'Tea', text: 'Leaves\nand water' },
  ])
  const twice = await writeFixture('twice.jsonl', jsonl({ id: 'a', text: 'x' }, { id: 'a', text: 'y' }))
  await expect(readDocuments(twice)).rejects.toThrow('line 2: ids must be unique, got a twice')
  const none = await writeFixture('none.jsonl', jsonl({ id: 'a', body: 'x' }))
  await expect(readDocuments(none)).rejects.toThrow('line 1: a document must have text or contents; the columns are id')
})

describe('a corpus', () => {
  const rows = [
    { id: 'a', title: 'T', text: 'x', url: 'https://x/', views: 3, none: null },
    { id: 'b', title: '', text: 'ü', url: '', views: 0, none: null },
  ]
  const expected = [
    { id: 'a', title: 'T', text: 'x', metadata: { url: 'https://x/', views: 3 } },
    { id: 'b', title: '', text: 'ü', metadata: { url: '', views: 0 } },
  ]

  it('is read from Parquet as from JSONL, with its other columns, and with a byte order mark', async () => {
    const parquet = (await writeFixture('corpus.parquet', '')).toString()
    await writeParquet(parquet, rows, {
      id: 'text',
      title: 'text',
      text: 'text',
      url: 'text',
      views: 'integer',
      none: 'text',
    })
    expect(await readDocuments(parquet)).toEqual(expected)
    expect(await readDocuments(await writeFixture('bom.jsonl', `\uFEFF${jsonl(...rows)}`))).toEqual(expected)
    const beir = jsonl({ _id: '7', title: 'T', text: 'x', metadata: { url: 'u' } })
    expect(await readDocuments(await writeFixture('beir.jsonl', beir))).toEqual([
      { id: '7', title: 'T', text: 'x', metadata: { url: 'u' } },
    ])
    const flashRag = await writeFixture('flash.parquet', '')
    await writeParquet(flashRag, [{ id: 0, contents: '"Tea"\nLeaves' }], { id: 'integer', contents: 'text' })
    expect(await readDocuments(flashRag)).toEqual([{ id: '0', title: 'Tea', text: 'Leaves' }])
  })

  it.each(['utf16le', 'utf16be'] as const)('in UTF-16 is refused with a remedy: %s', async (encoding) => {
    for (const mark of ['\uFEFF', '']) {
      const bytes = Buffer.from(mark + jsonl(...rows), 'utf16le')
      const path = await writeFixture('utf16.jsonl', '')
      writeFileSync(path, encoding === 'utf16be' ? bytes.swap16() : bytes)
      await expect(readDocuments(path)).rejects.toThrow('the file is UTF-16; save it as UTF-8')
    }
  })

  it('with broken lines and ids that come again is refused, or read with all of them named and counted', async () => {
    const lines = [
      '{"id": "a", "text": "x"}',
      '{"id": "b", "te',
      '[1]',
      '{"id": "a", "text": "y"}',
      '{"id": "c"}',
      'null',
    ]
    const path = await writeFixture('broken.jsonl', `${lines.join('\n')}\n{"id": "d", "text": "z"}`)
    await expect(readDocuments(path)).rejects.toThrow('line 2: every line must be one whole JSON record')
    const reports: CorpusReport[] = []
    const documents = await readDocuments(path, { faults: 'skip', onReport: (report) => reports.push(report) })
    expect(documents.map(({ id, text }) => [id, text])).toEqual([
      ['a', 'x'],
      ['d', 'z'],
    ])
    expect(reports).toEqual([
      {
        path,
        format: 'JSONL',
        rows: 7,
        documents: 2,
        faulty: {
          count: 4,
          examples: [
            expect.stringMatching(/^line 2: every line must be one whole JSON record/),
            'line 3: a document must have text or contents; the columns are none',
            'line 5: a document must have text or contents; the columns are id',
            'line 6: a document must have text or contents; the columns are none',
          ],
        },
        repeated: { count: 1, examples: ['line 4: ids must be unique, got a twice'] },
      },
    ])
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    await readDocuments(path, { faults: 'skip' })
    expect(warn.mock.calls.flat().join('\n')).toMatch(
      /4 rows are left out because they are no documents: line 2.*\n.*1 row is left out/,
    )
    warn.mockRestore()
    await expect(readDocuments(path, { faults: 'ignore' } as never)).rejects.toThrow(
      "faults must be one of 'throw', 'skip'",
    )
  })
})

it('judgements of relevance are read for the ids that questions have', async () => {
  const path = await writeFixture('qrels.tsv', 'query-id\tcorpus-id\tscore\nq1\td1\t1\nq1\td2\t2\nq2\td1\t0\n')
  expect(await readQrels(path, 'hotpotqa')).toEqual({ 'hotpotqa-q1': ['d1', 'd2'] })
  const bad = await writeFixture('bad.tsv', 'query\tcorpus-id\tscore\nq1\td1\t1\n')
  await expect(readQrels(bad)).rejects.toThrow('line 2: must have query-id, corpus-id and score; the columns are query')
})

const set = (dataset: string, n: number): Question[] =>
  Array.from({ length: n }, (_, i) => ({ id: `${dataset}-${i}`, dataset, question: 'q?', goldAnswers: ['a'] }))

describe('a subset', () => {
  const questions = [...set('a', 600), ...set('b', 300), ...set('c', 100)]
  const ids = (list: readonly Question[]): string[] => list.map(({ id }) => id)

  it('takes as many of each set, or in proportion', () => {
    expect(drawSubset(questions, { perSet: 200 }).sets).toEqual([
      { dataset: 'a', questions: 200, of: 600 },
      { dataset: 'b', questions: 200, of: 300 },
      { dataset: 'c', questions: 100, of: 100 },
    ])
    expect(drawSubset(questions, { size: 101 }).sets.map(({ questions: n }) => n)).toEqual([61, 30, 10])
    expect(drawSubset(questions, { size: 101 }).questions).toHaveLength(101)
  })

  it('depends on the seed, not on the order, and is part of a larger one', () => {
    const small = drawSubset(questions, { perSet: 50, seed: 3 })
    const turned = drawSubset([...questions].reverse(), { perSet: 50, seed: 3 })
    expect(ids(turned.questions).sort()).toEqual(ids(small.questions).sort())
    const large = new Set(ids(drawSubset(questions, { perSet: 90, seed: 3 }).questions))
    expect(small.questions.every(({ id }) => large.has(id))).toBe(true)
    const other = drawSubset(questions, { perSet: 50, seed: 4 })
    expect(other.checksum).not.toBe(small.checksum)
    expect(drawSubset(questions, { perSet: 50, seed: 3 }).checksum).toBe(small.checksum)
  })

  it('is refused where it is not clear how large', () => {
    expect(() => drawSubset(questions, {})).toThrow('draw subset: give either perSet or size')
    expect(() => drawSubset(questions, { perSet: 1, size: 1 })).toThrow('give either perSet or size')
    expect(() => drawSubset(questions, { size: 1001 })).toThrow('at most the number of questions, 1000, got 1001')
    expect(() => drawSubset(questions, { perSet: 0 })).toThrow('draw subset: perSet must be at least 1, got 0')
  })
})

it('a mix of sets holds all questions, shuffled by the seed, and no id twice', () => {
  const mix = mixQuestions([set('a', 50), set('b', 50)])
  expect(mix).toHaveLength(100)
  expect(mix.slice(0, 50).every(({ dataset }) => dataset === 'a')).toBe(false)
  expect(mixQuestions([set('a', 50), set('b', 50)])).toEqual(mix)
  expect(mixQuestions([set('a', 50), set('b', 50)], 1)).not.toEqual(mix)
  expect(() => mixQuestions([set('a', 2), set('a', 1)])).toThrow('ids must be unique over all sets, got a-0 twice')
})
