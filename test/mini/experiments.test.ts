import { expect, test } from 'vitest'
import { experimentMeasures, experimentTable, miniExperiments } from '../../src/mini/experiments.js'
import type { Experiment } from '../../src/mini/experiments.js'
import { comparison } from '../../src/plot/comparison.js'

const experiments = await miniExperiments()

test('each committed experiment is one run of its arm and seed, with the figures that its answers give', () => {
  const names = experiments.map(({ arm, seed }) => `${arm} ${seed}`)
  expect(new Set(names).size).toBe(names.length)
  for (const { after, updates, settings } of experiments) {
    const right = [...after.right].map(Number)
    expect(right).toHaveLength(400)
    expect(after.em).toBeCloseTo(right.reduce((a, b) => a + b, 0) / 400, 4)
    expect(after.coverEm).toBeGreaterThanOrEqual(after.em)
    expect(updates).toHaveLength(Number(settings['updates']))
  }
})

test('arms come in the order that was asked for, seeds in theirs, and one that was never run is refused', async () => {
  const some = await miniExperiments('reinforce++', 'grpo')
  expect(some.map(({ arm, seed }) => [arm, seed])).toEqual([
    ...[0, 1, 2].map((seed) => ['reinforce++', seed]),
    ...[0, 1, 2].map((seed) => ['grpo', seed]),
  ])
  await expect(miniExperiments('grp')).rejects.toThrow(/mini experiments: an arm must be one of .*grpo.*, got 'grp'/)
})

/** An arm whose runs got these questions of two sets right. */
const armOf = (arm: string, ...rights: string[]): Experiment[] =>
  rights.map((right, seed) => {
    const em = [...right].filter((one) => one === '1').length / right.length
    const { before, after, ...rest } = experiments[0]!
    return { ...rest, arm, seed, before: { ...before, em: 0 }, after: { ...after, em, right } }
  })

test('a row is the mean over seeds, with the interval of one seed, and the difference to the first arm by question', () => {
  const first = armOf('first', '1100', '1000')
  const second = armOf('second', '1111')
  const [one, two] = experimentTable([...first, ...second]).objects() as Record<string, number>[]
  expect(one).toMatchObject({ arm: 'first', seeds: 2, emBefore: 0, em: 0.375, difference: 0, differenceLow: 0 })
  // By statsmodels: proportion_confint(1.5, 4, method='wilson').
  expect(one!['emLow']).toBeCloseTo(0.0919, 4)
  expect(one!['emHigh']).toBeCloseTo(0.7806, 4)
  expect(two).toMatchObject({ arm: 'second', seeds: 1, em: 1, difference: 0.625 })
  expect(two!['differenceLow']).toBeLessThan(0.625)
})

test('measures of arms are a table for a figure', () => {
  const measures = experimentMeasures(experiments.filter(({ arm }) => arm === 'grpo' || arm === 'em-reward'))
  expect([...new Set(measures.array('method'))]).toEqual(['before', 'grpo', 'em-reward'])
  const { data, layout } = comparison(measures, { title: 'Rewards' })
  expect(data).toHaveLength(3)
  expect(layout).toMatchObject({ title: { text: 'Rewards' } })
})
