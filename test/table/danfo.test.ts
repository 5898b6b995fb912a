import { table } from 'arquero'
import { expect, test } from 'vitest'
import { toDataFrame } from '../../src/table/danfo.js'

const results = table({
  method: ['a', 'a', 'b', 'b', 'c'],
  em: [0.5, null, 0.25, 1, null],
  n: [1, 2, 3, 4, 5],
  none: [null, null, null, null, null],
  right: [null, true, false, true, true],
  goldAnswers: [['Lima'], ['x', 'y'], null, ['z'], []],
  count: [1n, 2n, null, 4n, 5n],
})

// The numbers are pandas' (2.3): frame.describe(), frame.groupby('method').em.agg(...).
test('a frame describes its numbers without the nulls', async () => {
  const frame = await toDataFrame(results)
  expect(frame.dtypes).toEqual(['string', 'float32', 'int32', 'string', 'boolean', 'string', 'float32'])
  const described = frame.describe()
  expect(described.columns).toEqual(['em', 'n', 'right', 'count'])
  expect(described.index).toEqual(['count', 'mean', 'std', 'min', 'median', 'max', 'variance'])
  const em = described.column('em').values as number[]
  ;[3, 0.583333, 0.381881, 0.25, 0.5, 1, 0.145833].forEach((value, i) => expect(em[i]).toBeCloseTo(value, 5))
  expect((described.column('right').values as number[]).slice(0, 2)).toEqual([4, 0.75])
  expect(
    frame
      .loc({ rows: [1, 4] })
      .describe()
      .column('em').values,
  ).toEqual([0, ...Array<null>(6).fill(null)])
})

test('groups leave nulls out too; of nothing known there is a count and a sum of 0', async () => {
  const groups = (await toDataFrame(results)).groupby(['method'])
  expect(groups.col(['em']).mean().column('em_mean').values).toEqual([0.5, 0.625, null])
  expect(groups.col(['em']).count().column('em_count').values).toEqual([1, 2, 0])
  expect(groups.col(['em']).max().column('em_max').values).toEqual([0.5, 1, null])
  const both = groups.agg({ em: ['sum', 'min'], n: 'mean' })
  expect(both.column('em_sum').values).toEqual([0.5, 1.25, 0])
  expect(both.column('n_mean').values).toEqual([1.5, 3.5, 5])
  // Running sums keep a value for each row.
  expect(groups.col(['n']).cumSum().column('n_cumsum').values).toEqual([1, 3, 3, 7, 5])
})

test('cells stay what they are', async () => {
  const frame = await toDataFrame(results)
  expect(frame.column('em').values).toEqual([0.5, null, 0.25, 1, null])
  expect(frame.column('count').values).toEqual([1, 2, null, 4, 5])
  expect(frame.column('goldAnswers').values).toEqual(['["Lima"]', '["x","y"]', null, '["z"]', '[]'])
})
