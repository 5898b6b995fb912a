import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { table } from 'arquero'
import { afterAll, describe, expect, it } from 'vitest'
import { openRecords } from '../../src/file/read-records.js'
import { saveTable } from '../../src/table/save-table.js'
import { toCsv, toLatex, toMarkdown } from '../../src/table/table-text.js'

const folder = mkdtempSync(join(tmpdir(), 'tables-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

const results = table({
  method: ['a_b', 'c & 50%', 'a_b', 'c & 50%'],
  dataset: ['nq', 'nq', 'popqa', 'popqa'],
  em: [0.4, 0.40004, 0.25, 0.2],
  n: [10, 10, 20, 20],
  note: [null, 'x | <b>', '"q", $y$', 'two\nlines'],
})

describe('a table as text', () => {
  it('is Markdown that shows cells as they are, the best in bold', () => {
    expect(toMarkdown(results, { best: { em: 'max' }, within: 'dataset' }).split('\n')).toEqual([
      '| method | dataset | em | n | note |',
      '| --- | --- | ---: | ---: | --- |',
      '| a\\_b | nq | **0.400** | 10 |  |',
      '| c &amp; 50% | nq | **0.400** | 10 | x \\| &lt;b> |',
      '| a\\_b | popqa | **0.250** | 20 | "q", \\$y\\$ |',
      '| c &amp; 50% | popqa | 0.200 | 20 | two<br>lines |',
    ])
  })

  it('is LaTeX with the lines of booktabs, the best in bold', () => {
    const text = toLatex(results, { columns: ['method', 'em', 'note'], digits: 2, best: { em: 'min' } })
    expect(text.split('\n')).toEqual([
      '\\begin{tabular}{lrl}',
      '\\toprule',
      'method & em & note \\\\',
      '\\midrule',
      'a\\_b & 0.40 &  \\\\',
      'c \\& 50\\% & 0.40 & x \\textbar{} \\textless{}b\\textgreater{} \\\\',
      'a\\_b & 0.25 & \\textquotedbl{}q\\textquotedbl{}, \\$y\\$ \\\\',
      'c \\& 50\\% & \\textbf{0.20} & two lines \\\\',
      '\\bottomrule',
      '\\end{tabular}',
    ])
    expect(toLatex(table({ x: ['\\{}~^#'] }))).toContain(
      '\\textbackslash{}\\{\\}\\textasciitilde{}\\textasciicircum{}\\#',
    )
  })

  it('is CSV with numbers in full', () => {
    expect(toCsv(results)).toBe(
      'method,dataset,em,n,note\na_b,nq,0.4,10,\nc & 50%,nq,0.40004,10,x | <b>\n' +
        'a_b,popqa,0.25,20,"""q"", $y$"\nc & 50%,popqa,0.2,20,"two\nlines"\n',
    )
  })

  it('names a column that is not there', () => {
    expect(() => toMarkdown(results, { columns: ['emm'] })).toThrow(
      'toMarkdown: there is no column emm; the columns are',
    )
    expect(() => toLatex(results, { best: { f1: 'max' } })).toThrow('toLatex: there is no column f1')
    expect(() => toMarkdown(results, { digits: -1 })).toThrow('toMarkdown: digits must be at least 0, got -1')
  })
})

describe('a table in a file', () => {
  it('is what the ending says', async () => {
    await saveTable(results, at('r.md'), { digits: 1 })
    await saveTable(results, at('r.tex'))
    await saveTable(results, at('r.csv'))
    expect(readFileSync(at('r.md'), 'utf8')).toBe(`${toMarkdown(results, { digits: 1 })}\n`)
    expect(readFileSync(at('r.tex'), 'utf8')).toContain('\\toprule')
    expect(readFileSync(at('r.csv'), 'utf8')).toBe(toCsv(results))
    const { records } = await openRecords(at('r.csv'), 'table')
    const rows: unknown[] = []
    for await (const { value } of records) rows.push(value)
    expect(rows[3]).toEqual({ method: 'c & 50%', dataset: 'popqa', em: '0.2', n: '20', note: 'two\nlines' })
  })

  it('keeps its types in Parquet', async () => {
    const rows = [
      { text: 'a', whole: 1, number: 0.5, yes: true, texts: ['x', 'y'], mixed: 1, none: null },
      { text: null, whole: null, number: 2, yes: false, texts: [], mixed: 'a', none: null },
    ]
    const columns = Object.fromEntries(
      Object.keys(rows[0]!).map((name) => [name, rows.map((row) => (row as Record<string, unknown>)[name])]),
    )
    await saveTable(table(columns as Record<string, unknown[]>), at('r.parquet'))
    const found: unknown[] = []
    for await (const { value } of (await openRecords(at('r.parquet'), 'table')).records) found.push(value)
    expect(found).toEqual([
      { ...rows[0], mixed: '1' },
      { ...rows[1], mixed: '"a"' },
    ])
  })

  it('of another ending is refused, and what was there stays where writing fails', async () => {
    await expect(saveTable(results, at('r.xlsx'))).rejects.toThrow('must end with .md, .tex, .csv or .parquet, got')
    writeFileSync(at('kept.md'), 'before')
    await expect(saveTable(results, at('kept.md'), { columns: ['no'] })).rejects.toThrow('there is no column no')
    expect(readFileSync(at('kept.md'), 'utf8')).toBe('before')
  })
})
