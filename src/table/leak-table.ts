import { table, type ColumnTable } from 'arquero'
import type { LeakAudit } from '../schema/leak-audit.js'

/**
 * One row for each trajectory of a leak audit: question, answer, reward, verdict, and the query and document that told the answer.
 * @example
 * const audit = await zs.auditLeaks([trajectory], { without: engine })
 * await zs.display(zs.leakTable(audit), { sort: 'verdict' })
 */
export function leakTable({ trajectories }: LeakAudit): ColumnTable {
  return table({
    questionId: trajectories.map((each) => each.questionId),
    dataset: trajectories.map((each) => each.dataset),
    question: trajectories.map((each) => each.question),
    answer: trajectories.map((each) => each.answer),
    reward: trajectories.map((each) => each.reward),
    verdict: trajectories.map((each) => each.verdict),
    query: trajectories.map((each) => each.query ?? null),
    document: trajectories.map((each) => each.document ?? null),
    counterfactualDocuments: trajectories.map((each) => each.counterfactualDocuments),
    failure: trajectories.map((each) => each.failure ?? null),
  })
}
