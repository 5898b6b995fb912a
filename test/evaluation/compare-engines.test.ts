import { expect, it, vi } from 'vitest'
import { compareEngines } from '../../src/evaluation/compare-engines.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { transfer } from '../../src/plot/transfer.js'
import type { Question } from '../../src/schema/question.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { exactMcNemar } from '../../src/statistics/mcnemar.js'
import { transferTable } from '../../src/table/transfer-table.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'

const questions: Question[] = Array.from({ length: 12 }, (_, i) => ({
  ...{ id: `q${i}`, dataset: i < 6 ? 'a' : 'b', question: `number ${i}?`, goldAnswers: [`n${i}`] },
}))
const policy = scriptedPolicy((turn, heard) =>
  turn === 0
    ? `<search> ${/number (\d+)/.exec(heard)![1]}</search>`
    : `<answer> ${/Doc 1: (\w+)/.exec(heard)![1]}</answer>`,
)
/** Knows the numbers up to one. */
const engine = (name: string, knows: (n: number) => boolean): SearchEngine => ({
  name,
  search: (query) => Promise.resolve([{ text: knows(Number(query)) ? `n${query}` : 'unknown', rank: 1 }]),
})
const simulator = engine('simulator', (n) => n < 10)
const realEngine = engine('real', (n) => n >= 8 || n < 2)
const rules = { protocol: miniProtocol, progress: false }

it('counts what is right with both, one and none, by hand', async () => {
  const comparison = await compareEngines(policy, questions, { simulator, realEngine, ...rules })
  // Both: 0, 1, 8, 9. Simulator alone: 2 to 7. Real engine alone: 10, 11.
  expect(comparison).toMatchObject({ questions: 12, both: 4, onlySimulated: 6, onlyReal: 2, neither: 0 })
  expect(comparison.difference).toBeCloseTo(-4 / 12, 12)
  expect(comparison.pValue).toBe(exactMcNemar(2, 6))
  expect(comparison.low).toBeLessThan(comparison.difference)
  expect(comparison.high).toBeGreaterThan(comparison.difference)
  const rows = transferTable(comparison).objects() as Record<string, unknown>[]
  expect(rows.map(({ right }) => right)).toEqual([
    ...['both', 'both', ...Array<string>(6).fill('only simulated'), 'both', 'both', 'only real', 'only real'],
  ])
  expect(rows[11]).toMatchObject({ answerSimulated: 'unknown', answerReal: 'n11', searchesReal: 1, dataset: 'b' })
  const { layout } = transfer(comparison.simulated, comparison.real)
  expect(JSON.stringify(layout)).toContain('−0.333')
})

it('a failed rollout counts as wrong with that engine', async () => {
  const warn = vi.spyOn(console, 'warn').mockReturnValue()
  const shaky: SearchEngine = {
    name: 'shaky',
    search: (query, context) =>
      query === '0' ? Promise.reject(new Error('HTTP 500')) : realEngine.search(query, context),
  }
  const comparison = await compareEngines(policy, questions, { simulator, realEngine: shaky, ...rules })
  expect(comparison).toMatchObject({ both: 3, onlySimulated: 7 })
  expect(comparison.real[0]!.failure).toBe('search: HTTP 500')
  warn.mockRestore()
})

it('refuses options that are none', async () => {
  const given = { simulator, realEngine, ...rules, topk: 3 } as never
  await expect(compareEngines(policy, questions, given)).rejects.toThrow('there is no option topk')
})
