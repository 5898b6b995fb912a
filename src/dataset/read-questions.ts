import { z } from 'zod'
import { aFunction, parseOptions } from '../schema/parse-options.js'
import type { Domain, Question } from '../schema/question.js'
import { domainSchema } from '../schema/record-schemas.js'
import type { HubOptions } from '../hub/hub-options.js'
import { dataFile, downloadSchema } from './data-file.js'
import type { DatasetReport } from './dataset-report.js'
import type { QuestionColumns } from './dialects/plain.js'
import { readSourced } from './sourced-questions.js'

/** Options of `readQuestions` and `streamQuestions`. */
export interface ReadQuestionsOptions {
  /** Name of the set, for rows that do not say theirs. Default: what their shape says, else the name of file or folder. */
  dataset?: string
  /** Whether training asks questions of this kind, for rows that do not say so. Default: as in the paper, for its seven sets. */
  domain?: Domain
  /** Reads only this split; rows that do not say theirs are of it. Default: all; the file's name may say which it is. */
  split?: string
  /** Names of columns, for tables of your own: `{ question: 'q', answers: 'a' }`. Default: known shapes and common names. */
  columns?: QuestionColumns
  /**
   * What to do with rows that hold no question to be scored (broken, without an answer, an id that came before, a date that a
   * spreadsheet rewrote): `throw` tells of all of them in one error; `skip` leaves them out and tells. Default `throw`.
   */
  faults?: 'throw' | 'skip'
  /** How a file of the hub is downloaded: cache folder, revision, token, progress. */
  download?: HubOptions
  /** Told what was found, when the last row has been read. Default: what is not as expected is written as a warning. */
  onReport?: (report: DatasetReport) => void
}

const name = z.string().min(1)

export const columnsSchema: z.ZodType<QuestionColumns> = z.strictObject({
  question: name.exactOptional(),
  answers: name.exactOptional(),
  id: name.exactOptional(),
  dataset: name.exactOptional(),
  split: name.exactOptional(),
})

const optionsSchema = z.strictObject({
  path: name,
  dataset: name.exactOptional(),
  domain: domainSchema.exactOptional(),
  split: name.exactOptional(),
  columns: columnsSchema.exactOptional(),
  faults: z.enum(['throw', 'skip']).default('throw'),
  download: downloadSchema.exactOptional(),
  onReport: aFunction<NonNullable<ReadQuestionsOptions['onReport']>>().exactOptional(),
})

/**
 * Reads a question set: a file, or by its name a file of a dataset of the hub (`owner/name/file`), which is downloaded once. The
 * content says what it is:
 * - this project's own records, FlashRAG's JSONL;
 * - Parquet of Search-R1, ZeroSearch, verl, DeepResearcher, SkyRL;
 * - the originals of NQ-open, TriviaQA, PopQA, HotpotQA, 2WikiMultiHopQA, MuSiQue, Bamboogle, their copies on Hugging Face,
 *   IRCoT's and KILT's;
 * - R1-Searcher's and DPR's tables, and any CSV, TSV, JSON, JSONL or Parquet file of yours (`columns`).
 *
 * A text where a list of answers is wanted is one answer; lists in cells, answers joined by `<|answer_split|>` and CSV quotes
 * that a converter left in are undone. Ids begin with the set's name, so that sets do not collide.
 * @throws where there is no such file, it is of no known format, or rows do not fit (see `faults`), with places and remedy
 * @example
 * const nq = await zs.readQuestions('nq/test.jsonl')
 * const popqa = await zs.readQuestions('RUC-NLPIR/FlashRAG_datasets/popqa/test.jsonl')
 * const mine = await zs.readQuestions('mine.csv', { dataset: 'mine', columns: { answers: 'solution' } })
 */
export async function readQuestions(path: string, options: ReadQuestionsOptions = {}): Promise<Question[]> {
  const questions: Question[] = []
  for await (const question of readFile(settle(path, options), false)) questions.push(question)
  return questions
}

/**
 * The questions of a file that need not fit into the memory, one after the other; else as `readQuestions`. Of a Parquet file
 * memory holds a row group, of all others a row.
 * @throws as `readQuestions` does, at the first row that does not fit
 * @example
 * for await (const { id, goldAnswers } of zs.streamQuestions('train.parquet')) console.log(id, goldAnswers[0])
 */
export function streamQuestions(
  path: string,
  options: ReadQuestionsOptions = {},
): AsyncGenerator<Question, void, undefined> {
  return readFile(settle(path, options), true)
}

const settle = (path: string, options: ReadQuestionsOptions): z.output<typeof optionsSchema> =>
  parseOptions('read question set', optionsSchema, { ...options, path })

async function* readFile(
  { download, ...settings }: z.output<typeof optionsSchema>,
  atOnce: boolean,
): AsyncGenerator<Question, void, undefined> {
  const file = await dataFile('read question set', settings.path, download)
  for await (const { question } of readSourced({ ...settings, file }, atOnce)) yield question
}
