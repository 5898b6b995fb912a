import { describe, expect, it, test } from 'vitest'
import type { Score } from '../../src/schema/score.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { comparisonTable } from '../../src/table/comparison-table.js'
import type { ComparisonRow } from '../../src/table/comparison-table.js'
import { toDataFrame } from '../../src/table/danfo.js'
import { scoreTable } from '../../src/table/score-table.js'
import { trainingTable } from '../../src/table/training-table.js'
import { differenceTable } from '../../src/table/difference-table.js'
import type { DifferenceRow } from '../../src/table/difference-table.js'
import { bootstrapMean } from '../../src/statistics/bootstrap.js'
import { wilsonInterval } from '../../src/statistics/wilson-interval.js'

const score = (method: string, dataset: string, i: number, em: number): Score => ({
  method,
  dataset,
  domain: dataset === 'mini-nq' ? 'in-domain' : 'out-of-domain',
  questionId: `${dataset}-${i}`,
  answer: em ? 'Lima' : null,
  em,
  coverEm: em,
  f1: em,
  searches: i % 3,
  answered: em,
})
const scores = (method: string, dataset: string, right: number, n: number): Score[] =>
  Array.from({ length: n }, (_, i) => score(method, dataset, i, i < right ? 1 : 0))
const rowsOf = (all: readonly Score[]): ComparisonRow[] => comparisonTable(all).objects() as ComparisonRow[]

describe('Wilson interval', () => {
  // Roots of (p - x)² = z² x (1 - x) / n, worked out apart from the code.
  it.each([
    [5, 10, 0.236593, 0.763407],
    [0, 10, 0, 0.277533],
    [10, 10, 0.722467, 1],
    [81, 263, 0.255289, 0.36621],
  ])('%i of %i', (count, n, low, high) => {
    const interval = wilsonInterval(count / n, n)
    expect(interval.low).toBeCloseTo(low, 5)
    expect(interval.high).toBeCloseTo(high, 5)
  })

  it('says what is wrong', () => {
    expect(() => wilsonInterval(1.2, 10)).toThrow('proportion must lie in [0, 1], got 1.2')
    expect(() => wilsonInterval(0.5, 0)).toThrow('n must be at least 1, got 0')
  })
})

describe('differences between methods', () => {
  const rowsOfDifferences = (...args: Parameters<typeof differenceTable>): DifferenceRow[] =>
    differenceTable(...args).objects() as DifferenceRow[]
  const all = [
    ...scores('a', 'nq', 50, 100),
    ...scores('b', 'nq', 52, 100),
    ...scores('c', 'nq', 90, 100),
    ...scores('a', 'popqa', 50, 100),
    ...scores('b', 'popqa', 49, 100),
    ...scores('c', 'popqa', 90, 100),
  ]

  it('are said to be noise where they are no more, with p-values corrected for their number', () => {
    const rows = rowsOfDifferences(all, { baseline: 'a' })
    expect(rows.map((row) => [row.method, row.dataset, row.n, row.verdict])).toEqual([
      ['b', 'nq', 100, 'inside the noise'],
      ['b', 'popqa', 100, 'inside the noise'],
      ['b', 'all', 200, 'inside the noise'],
      ['c', 'nq', 100, 'better'],
      ['c', 'popqa', 100, 'better'],
      ['c', 'all', 200, 'better'],
    ])
    expect(rows[0]).toMatchObject({ against: 'a', difference: 0.02, differenceOfSets: 0.02, pValue: 0.5 })
    for (const { pValue, pCorrected, difference, low, high } of rows) {
      expect(pCorrected).toBeGreaterThanOrEqual(pValue)
      expect(low).toBeLessThanOrEqual(difference)
      expect(high).toBeGreaterThanOrEqual(difference)
    }
  })

  it('are told of every pair where there is no baseline', () => {
    const pairs = rowsOfDifferences(all).filter(({ dataset }) => dataset === 'all')
    expect(pairs.map(({ method, against, verdict }) => [method, against, verdict])).toEqual([
      ['b', 'a', 'inside the noise'],
      ['c', 'a', 'better'],
      ['c', 'b', 'better'],
    ])
  })

  it('need two methods and a baseline that is there', () => {
    expect(() => differenceTable(scores('a', 'nq', 1, 2))).toThrow('at least two methods, got 1')
    expect(() => differenceTable(all, { baseline: 'd' })).toThrow('baseline must be one of a, b, c, got d')
  })
})

describe('comparison', () => {
  const all = [
    ...scores('before', 'mini-popqa', 2, 10),
    ...scores('before', 'mini-nq', 5, 10),
    ...scores('after', 'mini-popqa', 6, 10),
    ...scores('after', 'mini-nq', 30, 40),
  ]

  it('puts in-domain sets first, and averages sets, not questions', () => {
    const rows = rowsOf(all)
    expect(rows.map((row) => [row.method, row.dataset, row.domain, row.n])).toEqual([
      ['before', 'mini-nq', 'in-domain', 10],
      ['before', 'mini-popqa', 'out-of-domain', 10],
      ['before', 'average', 'in-domain', 10],
      ['before', 'average', 'out-of-domain', 10],
      ['before', 'average', 'all', 20],
      ['after', 'mini-nq', 'in-domain', 40],
      ['after', 'mini-popqa', 'out-of-domain', 10],
      ['after', 'average', 'in-domain', 40],
      ['after', 'average', 'out-of-domain', 10],
      ['after', 'average', 'all', 50],
    ])
    const average = rows[9]!
    expect(average.em).toBeCloseTo((30 / 40 + 6 / 10) / 2)
    expect(average.emOfQuestions).toBeCloseTo(36 / 50)
    const em = (n: number, right: number): number[] => Array.from({ length: n }, (_, i) => Number(i < right))
    const interval = bootstrapMean([em(40, 30), em(10, 6)])
    expect([average.emLow, average.emHigh]).toEqual([interval.low, interval.high])
    // Of one set it is that set's.
    expect([rows[7]!.emLow, rows[7]!.emHigh]).toEqual([rows[5]!.emLow, rows[5]!.emHigh])
  })

  it('leaves out an average over sets that a method was not run on', () => {
    const rows = rowsOf([...all, ...scores('half', 'mini-nq', 1, 2)]).filter((row) => row.method === 'half')
    expect(rows.map((row) => [row.dataset, row.domain])).toEqual([
      ['mini-nq', 'in-domain'],
      ['average', 'in-domain'],
    ])
  })

  it('takes domains from the option where it is given, and has none where nothing is said', () => {
    const bare = all.map(({ domain: _, ...rest }): Score => rest)
    const domains = (table: ReturnType<typeof comparisonTable>) =>
      (table.objects() as ComparisonRow[])
        .filter((row) => row.method === 'before')
        .map((row) => [row.dataset, row.domain])
    expect(domains(comparisonTable(bare))).toEqual([
      ['mini-popqa', null],
      ['mini-nq', null],
      ['average', 'all'],
    ])
    expect(domains(comparisonTable(bare, { inDomain: ['mini-nq'] }))).toEqual(domains(comparisonTable(all)))
    expect(domains(comparisonTable(all, { inDomain: ['mini-popqa'] })).slice(0, 2)).toEqual([
      ['mini-popqa', 'in-domain'],
      ['mini-nq', 'out-of-domain'],
    ])
  })

  it('refuses a set of two domains', () => {
    const other = all.map((score): Score => ({ ...score, method: 'other', domain: 'out-of-domain' }))
    expect(() => comparisonTable([...all, ...other])).toThrow(
      'a set must have one domain, got in-domain and out-of-domain for mini-nq',
    )
  })

  it('counts failed questions, and has the exact match without them', () => {
    const failing = scores('m', 'mini-nq', 2, 4).map((score, i): Score => (i < 3 ? score : { ...score, failure: 'x' }))
    const dead = scores('m', 'mini-popqa', 0, 2).map((score): Score => ({ ...score, failure: 'x' }))
    const rows = rowsOf([...failing, ...dead])
    expect(rows.map((row) => [row.dataset, row.domain, row.failed, row.em, row.emWithoutFailed])).toEqual([
      ['mini-nq', 'in-domain', 1, 0.5, 2 / 3],
      ['mini-popqa', 'out-of-domain', 2, 0, null],
      ['average', 'in-domain', 1, 0.5, 2 / 3],
      ['average', 'out-of-domain', 2, 0, null],
      ['average', 'all', 3, 0.25, null],
    ])
    const [first] = rowsOf(
      [...failing].map((score): Score => (score.failure ? { ...score, f1: 0, coverEm: 0 } : score)),
    )
    expect(first!.f1WithoutFailed).toBeCloseTo((first!.f1 * 4) / 3)
    expect(first!.coverEmWithoutFailed).toBeCloseTo((first!.coverEm * 4) / 3)
    expect(rows.map((row) => row.f1WithoutFailed === null)).toEqual([false, true, false, true, true])
  })

  it('has what a question took, and what it might have taken', () => {
    const budget = { searches: 5, turns: 6, tokens: 3000, pages: 0 }
    const spent = { turns: 2, tokens: 100, pages: 0, seconds: 1.5, cost: 0.01 }
    const counted = scores('m', 'mini-nq', 2, 4).map((score, i): Score => ({
      ...score,
      ...spent,
      tokens: 100 * i,
      budget,
    }))
    const [set, average] = rowsOf(counted)
    const wanted = { turns: 2, tokens: 150, pages: 0, seconds: 1.5, budget: '5 searches, 6 turns, 3,000 tokens' }
    expect(set).toMatchObject(wanted)
    expect(set!.cost).toBeCloseTo(0.01)
    expect(average).toMatchObject(wanted)
    // Some scores do not say it, or say another budget.
    const mixed = [...counted, { ...scores('m', 'mini-nq', 0, 1)[0]!, questionId: 'x', budget: { turns: 1 } }]
    expect(rowsOf(mixed)[0]).toMatchObject({ tokens: null, cost: null, budget: null })
  })

  it('has its columns where there is no score', () => {
    expect(comparisonTable([]).columnNames()).toEqual(comparisonTable(all).columnNames())
  })
})

test('scores are rows, in their order', () => {
  const table = scoreTable(scores('m', 'mini-nq', 1, 3))
  expect(table.array('em')).toEqual([1, 0, 0])
  expect(table.array('answer')).toEqual(['Lima', null, null])
  expect(table.array('questionId')).toEqual(['mini-nq-0', 'mini-nq-1', 'mini-nq-2'])
  expect(table.array('seconds')).toEqual([null, null, null])
  const counted = scores('m', 'mini-nq', 1, 1).map((score): Score => ({
    ...score,
    turns: 2,
    tokens: 9,
    seconds: 0.5,
    cost: 1,
  }))
  const columns = ['turns', 'tokens', 'pages', 'seconds', 'cost', 'domain'].map(
    (name) => scoreTable(counted).get(name, 0) as unknown,
  )
  expect(columns).toEqual([2, 9, null, 0.5, 1, 'in-domain'])
})

test('updates are rows, in order; what was not measured is null', () => {
  const record = (update: number): UpdateRecord => ({
    update,
    reward: update / 10,
    em: 0,
    noiseThreshold: 0,
    searchesPerQuestion: 1,
    kl: 0,
    loss: 0,
    clipFraction: 0,
    gradNorm: 1,
    learningRate: 1e-3,
    zeroVarianceGroups: 0,
    answered: 1,
    trajectories: 8,
    failed: 0,
    tokensPerTrajectory: 100,
    rolloutSeconds: 1,
    updateSeconds: 1,
    compileSeconds: 0,
  })
  const table = trainingTable([record(2), { ...record(1), metrics: { validationEm: 0.5 } }])
  expect(table.array('update')).toEqual([1, 2])
  expect(table.array('reward')).toEqual([0.1, 0.2])
  expect(table.array('validationEm')).toEqual([0.5, null])
  expect(table.array('entropy')).toEqual([null, null])
})

test('sets that are in-domain are a list of names, and mistyped options are refused', () => {
  const compare = (options: object) => () => comparisonTable(scores('before', 'mini-nq', 5, 10), options)
  for (const inDomain of ['mini-nq-and-others', NaN, null, [1]])
    expect(compare({ inDomain })).toThrow('comparison: inDomain')
  expect(compare({ indomain: [] })).toThrow('comparison: there is no option indomain; did you mean inDomain?')
})

test('as a Danfo DataFrame: same columns, order, values; and the one TensorFlow of the process', async () => {
  const table = comparisonTable(scores('before', 'mini-nq', 5, 10))
  const frame = await toDataFrame(table)
  expect(frame.columns).toEqual(table.columnNames())
  expect(frame.shape).toEqual([table.numRows(), table.numCols()])
  expect(frame.column('em').values).toEqual([...table.array('em')])
  expect(frame.column('dataset').values).toEqual([...table.array('dataset')])
  const { tf } = await import('../../src/tensor/runtime.js')
  // Danfo's tensors are tensors of this project's own tfjs: its memory counts them.
  const before = tf.memory().numTensors
  const tensor = frame.loc({ columns: ['em'] }).tensor as { dispose(): void }
  expect(tf.memory().numTensors).toBeGreaterThan(before)
  tensor.dispose()
})
