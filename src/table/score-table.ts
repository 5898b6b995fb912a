import { table, type ColumnTable } from 'arquero'
import type { Score } from '../schema/score.js'

/**
 * One row for each score: method, dataset, questionId, answer, em, coverEm, f1, paperEm, searches, answered, failure (null where none).
 * @example
 * await zs.display(zs.scoreTable(scores), { sort: 'f1' })
 */
export function scoreTable(scores: readonly Score[]): ColumnTable {
  return table({
    method: scores.map((score) => score.method),
    dataset: scores.map((score) => score.dataset),
    questionId: scores.map((score) => score.questionId),
    answer: scores.map((score) => score.answer),
    em: scores.map((score) => score.em),
    coverEm: scores.map((score) => score.coverEm),
    f1: scores.map((score) => score.f1),
    paperEm: scores.map((score) => score.paperEm ?? null),
    searches: scores.map((score) => score.searches),
    answered: scores.map((score) => score.answered),
    failure: scores.map((score) => score.failure ?? null),
  })
}
