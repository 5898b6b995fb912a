import { z } from 'zod'
import { answersOf, idOf, isRow, RowFault } from '../dataset/fields.js'
import type { Row } from '../dataset/fields.js'
import { datasetName } from '../dataset/known-sets.js'
import { openRecords } from '../file/read-records.js'
import { scoreAnswer } from '../reward/answer-metrics.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { questionSchema } from '../schema/record-schemas.js'
import type { Score } from '../schema/score.js'

/** Options of `scorePredictions`. */
export interface ScorePredictionsOptions {
  /**
   * Where gold answers are found by id, for predictions that do not carry theirs: by the question's own, or by that of the file
   * that `readQuestions` read, without set and split before it. Default: the predictions carry theirs.
   */
  questions?: readonly Question[]
  /** Name of the method, for predictions that do not say theirs. Default `predictions`. */
  method?: string
  /** Name of the set, for predictions that do not say theirs. Default `questions`. */
  dataset?: string
}

const optionsSchema = z.strictObject({
  path: z.string().min(1),
  questions: z.array(questionSchema).optional(),
  method: z.string().min(1).default('predictions'),
  dataset: z.string().min(1).default('questions'),
})

/**
 * Scores answers that stand in a file: saved trajectories, or rows (JSONL, JSON, CSV, TSV, Parquet) of `prediction` (or `pred`,
 * `answer`) and gold answers (`goldAnswers`, `golden_answers`, `answers`), with `id`, `dataset`, `method`, `searches` where
 * they have them. No prediction (null, a missing cell) is no answer. Only final answers are scored: take them out of a
 * model's text by `extractAnswer` first.
 * @throws where a row has no gold answers or no column of predictions, with its place
 * @example
 * const scores = await zs.scorePredictions('predictions.jsonl', { method: 'mine', dataset: 'nq' })
 * await zs.display(zs.comparisonTable(scores))
 */
export async function scorePredictions(path: string, options: ScorePredictionsOptions = {}): Promise<Score[]> {
  const settings = parseOptions('score predictions', optionsSchema, { ...options, path })
  const known = questionsById(settings.questions ?? [])
  const scores: Score[] = []
  const { records } = await openRecords(path, 'predictions')
  for await (const { place, value, fault } of records) {
    try {
      if (fault !== undefined) throw new RowFault(fault)
      if (!isRow(value)) throw new RowFault('a prediction must be an object')
      scores.push(scoreRow(value, known, settings, scores.length))
    } catch (error) {
      if (!(error instanceof RowFault)) throw error
      throw new Error(`read predictions ${path}, ${place}: ${error.message}`, { cause: error })
    }
  }
  if (scores.length === 0) throw new Error(`read predictions ${path}: there are none`)
  const predicted = new Set(scores.map(({ dataset, questionId }) => JSON.stringify([dataset, questionId])))
  const left = settings.questions?.filter(({ dataset, id }) => !predicted.has(JSON.stringify([dataset, id]))) ?? []
  if (left.length > 0) {
    console.warn(
      `read predictions ${path}: ${left.length} of ${settings.questions!.length} questions have no prediction, and are not ` +
        `counted (the first is ${left[0]!.id})`,
    )
  }
  return scores
}

type QuestionsById = ReadonlyMap<string, readonly Question[]>

/** Questions by their ids, and by these without set and split, which `readQuestions` puts before them. */
function questionsById(questions: readonly Question[]): QuestionsById {
  const known = new Map<string, Question[]>()
  for (const question of questions) {
    const own = withoutStart(question.id, question.dataset)
    for (const id of new Set([question.id, own, withoutStart(own, question.split)]))
      known.set(id, [...(known.get(id) ?? []), question])
  }
  return known
}

const withoutStart = (id: string, start: string | undefined): string =>
  start !== undefined && id.startsWith(`${start}-`) ? id.slice(start.length + 1) : id

/** @throws {RowFault} where it may be one or another question */
function findQuestion(known: QuestionsById, id: string, dataset: string | undefined): Question | undefined {
  const found = known.get(id) ?? []
  const exact = found.filter((question) => question.id === id)
  const all = exact.length > 0 ? exact : found
  const fits = dataset === undefined ? all : all.filter((question) => question.dataset === dataset)
  if (fits.length > 1) {
    const names = fits.map((question) => `${question.id} of ${question.dataset}`).join(', ')
    throw new RowFault(`id ${id} may be ${names}; give whole ids, or the name of the set as dataset`)
  }
  return fits[0]
}

const GOLD = ['goldAnswers', 'golden_answers', 'gold_answers', 'answers']
const PREDICTION = ['prediction', 'pred', 'predicted_answer', 'answer']

function scoreRow(
  row: Row,
  known: QuestionsById,
  settings: { method: string; dataset: string },
  number: number,
): Score {
  // A saved trajectory holds its question whole.
  const holder = isRow(row['question']) ? row['question'] : row
  const id = idOf(holder['id']) ?? idOf(row['questionId']) ?? idOf(row['question_id'])
  const said = holder['dataset'] ?? holder['data_source']
  const dataset = typeof said === 'string' ? datasetName(said) : undefined
  const question = id === undefined ? undefined : findQuestion(known, id, dataset)
  const prediction = PREDICTION.find((name) => name in row)
  if (prediction === undefined) {
    throw new RowFault(`there is no prediction; the columns are ${Object.keys(row).join(', ')}`)
  }
  const given = row[prediction] ?? null
  if (given !== null && typeof given !== 'string' && typeof given !== 'number') {
    throw new RowFault(`column ${prediction} must be a text, or null for no answer, got ${JSON.stringify(given)}`)
  }
  const failed = isRow(row['failure'])
  const answer = given === null || failed ? null : String(given)
  const domain = question?.domain ?? holder['domain']
  return {
    method: typeof row['method'] === 'string' ? row['method'] : settings.method,
    dataset: question?.dataset ?? dataset ?? settings.dataset,
    ...((domain === 'in-domain' || domain === 'out-of-domain') && { domain }),
    questionId: question?.id ?? id ?? String(number),
    answer,
    ...scoreAnswer(answer, question?.goldAnswers ?? goldOf(holder, prediction, known.size > 0 ? id : undefined)),
    searches: typeof row['searches'] === 'number' ? row['searches'] : 0,
    answered: answer === null ? 0 : 1,
    ...(failed && { failure: String((row['failure'] as Row)['message']) }),
  }
}

function goldOf(row: Row, prediction: string, id: string | undefined): string[] {
  const column = GOLD.find((name) => name in row) ?? (prediction !== 'answer' && 'answer' in row ? 'answer' : undefined)
  if (column === undefined) {
    const among = id === undefined ? 'here or in questions by its id' : `and no question has the id ${id}`
    throw new RowFault(`there are no gold answers, ${among}; the columns are ${Object.keys(row).join(', ')}`)
  }
  return answersOf(row, column)
}
