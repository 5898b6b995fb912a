import { table, type ColumnTable } from 'arquero'
import type { EngineComparison } from '../schema/engine-comparison.js'

/**
 * One row for each question: both answers, exact match and searches with simulator and real engine, and which of the two is right:
 * `both`, `only simulated`, `only real` or `neither`.
 * @example
 * const transfer = await zs.compareEngines(policy, questions, { simulator, realEngine: engine })
 * await zs.display(zs.transferTable(transfer), { sort: 'right' })
 */
export function transferTable({ simulated, real }: EngineComparison): ColumnTable {
  const realOf = new Map(real.map((score) => [score.questionId, score]))
  const rows = simulated.map((score) => ({ simulated: score, real: realOf.get(score.questionId)! }))
  return table({
    questionId: rows.map((row) => row.simulated.questionId),
    dataset: rows.map((row) => row.simulated.dataset),
    right: rows.map((row) => RIGHT[2 * row.simulated.em + row.real.em]!),
    answerSimulated: rows.map((row) => row.simulated.answer),
    answerReal: rows.map((row) => row.real.answer),
    emSimulated: rows.map((row) => row.simulated.em),
    emReal: rows.map((row) => row.real.em),
    f1Simulated: rows.map((row) => row.simulated.f1),
    f1Real: rows.map((row) => row.real.f1),
    searchesSimulated: rows.map((row) => row.simulated.searches),
    searchesReal: rows.map((row) => row.real.searches),
  })
}

const RIGHT = ['neither', 'only real', 'only simulated', 'both']
