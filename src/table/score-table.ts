import { table, type ColumnTable } from 'arquero'
import type { Score } from '../schema/score.js'

/**
 * One row for each score: method, dataset, domain, questionId, answer, em, coverEm, f1, paperEm, searches, turns, tokens, pages,
 * seconds, cost, answered, failure. What a score does not say is null.
 * @example
 * await zs.display(zs.scoreTable(scores), { sort: 'f1' })
 */
export function scoreTable(scores: readonly Score[]): ColumnTable {
  return table({
    method: scores.map((score) => score.method),
    dataset: scores.map((score) => score.dataset),
    domain: scores.map((score) => score.domain ?? null),
    questionId: scores.map((score) => score.questionId),
    answer: scores.map((score) => score.answer),
    em: scores.map((score) => score.em),
    coverEm: scores.map((score) => score.coverEm),
    f1: scores.map((score) => score.f1),
    paperEm: scores.map((score) => score.paperEm ?? null),
    searches: scores.map((score) => score.searches),
    turns: scores.map((score) => score.turns ?? null),
    tokens: scores.map((score) => score.tokens ?? null),
    pages: scores.map((score) => score.pages ?? null),
    seconds: scores.map((score) => score.seconds ?? null),
    cost: scores.map((score) => score.cost ?? null),
    answered: scores.map((score) => score.answered),
    failure: scores.map((score) => score.failure ?? null),
  })
}
