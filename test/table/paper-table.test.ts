import { readFileSync } from 'node:fs'
import { describe, expect, it, test } from 'vitest'
import type { Score } from '../../src/schema/score.js'
import { paperComparison } from '../../src/table/paper-comparison.js'
import type { PaperComparisonRow } from '../../src/table/paper-comparison.js'
import { paperDifferences } from '../../src/table/paper-differences.js'
import type { PaperDifferenceRow } from '../../src/table/paper-differences.js'
import { paperLayout } from '../../src/table/paper-layout.js'
import { paperTable } from '../../src/table/paper-table.js'
import type { PaperRow } from '../../src/table/paper-table.js'
import { comparisonTable } from '../../src/table/comparison-table.js'
import { toLatex, toMarkdown } from '../../src/table/table-text.js'
import { compareAverages } from '../../src/statistics/compare-averages.js'
import { compareProportions, proportionPower } from '../../src/statistics/two-proportions.js'

interface FileRow {
  model: string
  method: string
  kind: 'prompted' | 'trained'
  em: number[]
  average: number
}
const file = JSON.parse(readFileSync('data/paper/tables.json', 'utf8')) as Record<'main' | 'simulator', FileRow[]>

describe("the paper's tables", () => {
  const all = [...file.main, ...file.simulator]

  it('have averages that are means of sets', () => {
    for (const { em, average } of all) expect(em.reduce((sum, value) => sum + value, 0) / 7).toBeCloseTo(average, 1.9)
  })

  it('say how many questions were asked: 500, and of Bamboogle 125 or 72', () => {
    const fits = (value: number, n: number): boolean =>
      Math.abs((100 * Math.round((value / 100) * n)) / n - value) < 0.0051
    for (const { em, kind } of all) {
      expect(em.slice(0, 6).every((value) => fits(value, 500))).toBe(true)
      expect([125, 72].map((n) => fits(em[6]!, n))).toEqual(kind === 'prompted' ? [true, false] : [false, true])
    }
  })

  it('are rows with intervals, and averages over the sets of a domain', () => {
    const rows = paperTable('main').objects() as PaperRow[]
    expect(rows).toHaveLength(33 * 10)
    const of = (dataset: string, domain: string): PaperRow =>
      rows.find(
        (row) =>
          row.model === 'Qwen-2.5-7B' &&
          row.method === 'ZeroSearch-base' &&
          row.dataset === dataset &&
          row.domain === domain,
      )!
    expect(of('nq', 'in-domain')).toMatchObject({ n: 500, em: 0.424 })
    expect(of('bamboogle', 'out-of-domain')).toMatchObject({ n: 72, em: 24 / 72 })
    expect(of('average', 'in-domain').em).toBeCloseTo((0.424 + 0.32) / 2)
    expect(of('average', 'all').em).toBeCloseTo(0.4093, 4)
    // (212 + 160 + 332 + 302 + 170 + 90 + 24) of 3072
    expect(of('average', 'all').emOfQuestions).toBeCloseTo(1290 / 3072)
    for (const { em, emLow, emHigh } of rows) expect(emLow <= em && em <= emHigh).toBe(true)
    expect(paperTable('simulator').numRows()).toBe(8 * 10)
    expect(() => paperTable('second' as 'main')).toThrow("name must be one of 'main', 'simulator', got 'second'")
  })

  it('are laid out as they are printed, whatever the sets are called', () => {
    const layout = paperLayout(paperTable('main'), { digits: 2 })
    expect(layout.columnNames().slice(0, 5)).toEqual(['model', 'method', 'NQ', 'HotpotQA', 'in-domain'])
    expect(layout.array('average')).toEqual(file.main.map(({ average }) => average.toFixed(2)))
    expect(layout.array('Bamboogle')).toEqual(file.main.map(({ em }) => em[6]!.toFixed(2)))
  })
})

describe("differences in the paper's numbers", () => {
  const rows = (...args: Parameters<typeof paperDifferences>): PaperDifferenceRow[] =>
    paperDifferences(...args).objects() as PaperDifferenceRow[]

  it('between ZeroSearch and Search-R1 are inside the noise, to RAG they are not', () => {
    const found = rows('main', { model: 'Qwen-2.5-7B', baseline: 'ZeroSearch-base', datasets: ['average'] })
    const of = (method: string): PaperDifferenceRow =>
      found.find((row) => row.method === method && row.domain === 'all')!
    expect(found).toHaveLength(10 * 3)
    expect(of('Search-R1-base')).toMatchObject({ verdict: 'inside the noise', n: 3072 })
    expect(of('Search-R1-base').difference).toBeCloseTo(0.3951 - 0.4093, 3)
    expect(of('Search-R1-base').low).toBeLessThan(0)
    expect(of('Search-R1-base').high).toBeGreaterThan(0)
    expect(of('RAG')).toMatchObject({ verdict: 'worse' })
  })

  it('of one set are those of two shares, with the number of questions that they need', () => {
    const [row] = rows('main', { model: 'Qwen-2.5-7B', baseline: 'ZeroSearch-base', datasets: ['popqa'] }).filter(
      ({ method }) => method === 'Search-R1-base',
    )
    const { low, high, pValue } = compareProportions(0.546, 500, 0.604, 500)
    expect(row).toMatchObject({ low, high })
    expect(row!.pValue).toBeCloseTo(pValue, 12)
    expect(proportionPower(row!.needed!, 0.546, 0.604)).toBeCloseTo(0.8, 2)
    expect(proportionPower(500, 0.575 + row!.detectable / 2, 0.575 - row!.detectable / 2)).toBeCloseTo(0.8, 2)
  })

  it('are taken within a model, for each pair where there is no baseline', () => {
    expect(rows('simulator', { datasets: ['nq'] })).toHaveLength(28)
    expect(rows('main', { datasets: ['nq'] })).toHaveLength(3 * 55)
    expect(rows('main', { datasets: ['nq'], baseline: 'CoT' })).toHaveLength(3 * 10)
  })

  it('need names that are there', () => {
    expect(() => rows('main', { model: 'GPT' })).toThrow(
      'model must be one of Qwen-2.5-7B, Qwen-2.5-3B, LLaMA-3.2-3B, got GPT',
    )
    expect(() => rows('simulator', { baseline: 'RAG' })).toThrow('baseline must be one of Base model')
    expect(() => rows('main', { datasets: ['mini-nq'] })).toThrow('datasets must be one of nq')
  })
})

const score = (method: string, dataset: string, i: number, em: number): Score => ({
  ...{ method, dataset, questionId: `${dataset}-${i}`, answer: 'x', em, coverEm: em, f1: em, paperEm: 1 },
  domain: ['nq', 'hotpotqa', 'mini-nq'].includes(dataset) ? 'in-domain' : 'out-of-domain',
  ...{ searches: 1, answered: 1 },
})
const scores = (method: string, dataset: string, right: number, n: number): Score[] =>
  Array.from({ length: n }, (_, i) => score(method, dataset, i, Number(i < right)))

describe("scores beside the paper's", () => {
  const mine = [
    ...scores('mine', 'nq', 60, 100),
    ...scores('mine', 'popqa', 40, 100),
    ...scores('mine', 'hotpotqa', 3, 10),
  ]
  const options = { model: 'Qwen-2.5-3B', methods: { mine: 'ZeroSearch-base' } }
  const rows = (...args: Parameters<typeof paperComparison>): PaperComparisonRow[] =>
    paperComparison(...args).objects() as PaperComparisonRow[]

  it('have its number, the difference and what may be said, of averages over the same sets', () => {
    const found = rows([...mine, ...scores('rag', 'nq', 30, 100), ...scores('other', 'nq', 30, 100)], options)
    const of = (method: string, dataset: string, domain: string): PaperComparisonRow =>
      found.find((row) => row.method === method && row.dataset === dataset && row.domain === domain)!
    const { low, high } = compareProportions(0.6, 100, 0.43, 500)
    expect(of('mine', 'nq', 'in-domain')).toMatchObject({
      ...{ em: 0.6, n: 100, paperMethod: 'ZeroSearch-base', paper: 0.43, paperN: 500, verdict: 'better' },
      ...{ low: low, high: high },
    })
    const average = of('mine', 'average', 'all')
    expect(average.em).toBeCloseTo((0.6 + 0.4 + 0.3) / 3)
    expect(average.emOfQuestions).toBeCloseTo(103 / 210)
    expect(average.paper).toBeCloseTo((0.43 + 0.414 + 0.338) / 3)
    expect(average.difference).toBeCloseTo(average.em - average.paper!)
    expect(of('rag', 'nq', 'in-domain')).toMatchObject({ paperMethod: 'RAG', paper: 0.316 })
    expect(of('other', 'nq', 'in-domain')).toMatchObject({
      paperMethod: null,
      paper: null,
      difference: null,
      verdict: null,
    })
  })

  it('may be of another measure, and of sets with other names', () => {
    expect(rows(mine, { ...options, measure: 'paperEm' })[0]).toMatchObject({ em: 1, paper: 0.43 })
    const mini = rows(scores('mine', 'mini-nq', 1, 10), { ...options, datasets: { 'mini-nq': 'nq' } })
    expect(mini[0]).toMatchObject({ dataset: 'mini-nq', paper: 0.43 })
    expect(rows(scores('mine', 'mini-nq', 1, 10), options)[0]).toMatchObject({ paper: null })
  })

  it('are laid out in lines, and what is best is bold', () => {
    const layout = paperLayout(paperComparison(mine, options), { intervals: true })
    expect(layout.array('line')).toEqual(['result', '95 %', 'paper', 'difference', '95 % of it'])
    expect(layout.array('NQ')).toEqual(['60.0', '50.2–69.1', '43.0', '+17.0', '+6.3, +27.0'])
    expect(layout.array('PopQA').slice(2, 4)).toEqual(['41.4', '−1.4'])
    expect(toLatex(layout, { best: 'max', within: 'line' })).toContain(
      'mine & result & \\textbf{60.0} & \\textbf{30.0}',
    )
    expect(toLatex(layout)).toContain('$-$1.4')
    expect(paperLayout(comparisonTable(mine)).columnNames()).toEqual([
      ...['method', 'NQ', 'HotpotQA', 'in-domain', 'PopQA', 'out-of-domain', 'average', 'of questions'],
    ])
  })

  it('say what is wrong', () => {
    expect(() => rows(mine, { methods: { mine: 'ZeroSearch-base' } })).toThrow('model must be one of Qwen-2.5-7B')
    expect(() => rows(mine, { ...options, methods: { mine: 'ZeroSearch' } })).toThrow(
      'methods.mine must be one of Direct',
    )
    expect(() => rows(mine, { ...options, methods: { yours: 'RAG' } })).toThrow(
      'methods must be one of mine, got yours',
    )
    expect(() => rows(mine, { ...options, datasets: { nq: 'squad' } })).toThrow('datasets.nq must be one of nq')
    expect(() => paperLayout(comparisonTable(mine), { labels: { nq: 'Q', popqa: 'Q' } })).toThrow('got Q twice')
    expect(() => paperLayout(comparisonTable(mine).select('method'))).toThrow(
      'must have the columns method, dataset and em',
    )
  })
})

test('averages are compared by a bootstrap of each, with a z-test that is that of two shares for one set', () => {
  const first = [0.5, 0.4].map((share) => ({ share, n: 400 }))
  const second = [0.45, 0.25].map((share) => ({ share, n: 300 }))
  const { difference, low, high } = compareAverages(first, second)
  expect(difference).toBeCloseTo(0.1)
  // Normal approximation: the root of the summed variances of the four shares over 4.
  const deviation =
    Math.sqrt([...first, ...second].reduce((sum, { share, n }) => sum + (share * (1 - share)) / n, 0)) / 2
  expect(low).toBeCloseTo(0.1 - 1.96 * deviation, 2)
  expect(high).toBeCloseTo(0.1 + 1.96 * deviation, 2)
  const one = compareAverages(first.slice(0, 1), second.slice(0, 1))
  const { pValue, ...interval } = compareProportions(0.5, 400, 0.45, 300)
  expect(one).toMatchObject(interval)
  expect(one.pValue).toBeCloseTo(pValue, 12)
  expect(() => compareAverages(first, second.slice(1))).toThrow('the same sets, at least one, got 2 and 1')
})

test('what shows the same number is as good, and texts that are numbers count', () => {
  const table = paperLayout(comparisonTable([...scores('a', 'nq', 1, 3), ...scores('b', 'nq', 333, 1000)]), {
    digits: 0,
  })
  expect(toMarkdown(table, { best: 'max' })).toContain('| a | **33** |')
  expect(toMarkdown(table, { best: 'max' })).toContain('| b | **33** |')
})
