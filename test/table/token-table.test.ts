import { expect, it } from 'vitest'
import type { ViewedToken } from '../../src/schema/token-view.js'
import { tokenTable } from '../../src/table/token-table.js'

const prompt: ViewedToken = { place: 0, id: 5, text: 'Q', source: 'prompt', turn: 0, mask: 0 }
const said: ViewedToken = {
  ...{ place: 1, id: 6, text: 'a', source: 'policy', turn: 1, mask: 1 },
  ...{ samplerLogprob: -1, trainerLogprob: -0.5, ratio: Math.exp(0.5) },
}

it('has a row for each token, null where it has no measure, and no column that no token has', () => {
  const table = tokenTable({ tokens: [prompt, { ...said, advantage: 0 }] })
  expect(table.columnNames()).toEqual([
    ...['place', 'id', 'text', 'source', 'turn', 'mask', 'samplerLogprob', 'trainerLogprob', 'ratio', 'advantage'],
  ])
  expect(table.array('ratio')).toEqual([null, Math.exp(0.5)])
  expect(table.array('advantage')).toEqual([null, 0])
})
