import type { Domain, Question } from '../schema/question.js'
import { ReportBuilder, warningsOf } from './dataset-report.js'
import type { DatasetReport } from './dataset-report.js'
import type { RawQuestion } from './dialect.js'
import type { QuestionColumns } from './dialects/plain.js'
import { datasetOfPath, knownSet, splitOfPath } from './known-sets.js'
import { openRows } from './raw-questions.js'

/** What `readQuestions` was asked for. */
export interface SourceSettings {
  /** Names the set, where its rows do not. */
  path: string
  /** Where it lies, if that is somewhere else. */
  file?: string
  dataset?: string
  domain?: Domain
  split?: string
  columns?: QuestionColumns
  faults: 'throw' | 'skip'
  onReport?: (report: DatasetReport) => void
}

/** A question, and the row that it was made of. */
export interface SourcedQuestion {
  question: Question
  raw: RawQuestion
}

/**
 * The questions of a file, with what their rows said.
 * @param atOnce Throws at the first row that does not fit, rather than at the end of all of them.
 */
export async function* readSourced(settings: SourceSettings, atOnce: boolean): AsyncGenerator<SourcedQuestion> {
  const { path, file = path, faults, onReport } = settings
  const { format, rows } = await openRows(file, settings.columns)
  const builder = new ReportBuilder([path], format)
  const seen = new Set<string>()
  const words = new Set<string>()
  const others = new Set<string>()
  let first: string | undefined
  const bad = (place: string, fault: string): void => {
    first ??= `${place}: ${fault}`
    builder.note('faulty', `${place}: ${fault}`)
    if (faults === 'throw' && (atOnce || builder.hopeless)) throw rowsError(path, first, builder.report)
  }
  for await (const { place, raw, dialect, fault } of rows) {
    const number = builder.report.rows++
    if (raw === undefined) {
      bad(place, fault!)
      continue
    }
    const dataset = raw.dataset ?? settings.dataset ?? datasetOfPath(path)
    const split = raw.split ?? splitOfId(raw.id) ?? settings.split ?? splitOfPath(path)
    if (settings.split !== undefined && !isSameSplit(split, settings.split)) {
      others.add(split!)
      continue
    }
    if (raw.goldAnswers === undefined) {
      builder.note('unanswerable', `${place} (${raw.id ?? raw.question})`)
      continue
    }
    const id = wholeId(raw, dataset, split, number)
    if (seen.has(id)) {
      bad(place, `ids must be unique, got ${id} twice; renumber them`)
      continue
    }
    seen.add(id)
    const key = `${dataset} ${raw.question}`
    if (words.has(key)) builder.note('repeated', `${id} (${raw.question})`)
    words.add(key)
    builder.question(dialect!, dataset, split)
    const domain = raw.domain ?? settings.domain ?? knownSet(dataset)?.domain
    const question: Question = {
      id,
      dataset,
      ...(domain && { domain }),
      ...(split !== undefined && { split }),
      question: raw.question,
      goldAnswers: raw.goldAnswers,
      ...(raw.supportingFacts && { supportingFacts: raw.supportingFacts }),
    }
    yield { question, raw }
  }
  const report = builder.finish()
  if (faults === 'throw' && first !== undefined) throw rowsError(path, first, report)
  if (report.rows === 0) throw new Error(`read question set ${path}: the file has no rows`)
  if (report.questions === 0 && others.size > 0) {
    throw new Error(
      `read question set ${path}: there is no question of split ${settings.split!}; its splits are ${[...others].join(', ')}`,
    )
  }
  if (onReport) onReport(report)
  else for (const line of warningsOf(report)) console.warn(`read question set ${path}: ${line}`)
}

function rowsError(path: string, first: string, { rows, faulty }: DatasetReport): Error {
  const places = faulty.examples.map((example) => example.slice(0, example.indexOf(':')))
  const more = faulty.count - places.length
  const summary =
    faulty.count === 1
      ? ''
      : `. ${faulty.count} of ${rows} rows do not fit (${places.join(', ')}${more > 0 ? `, and ${more} more` : ''}); ` +
        "mend them, or leave them out with faults: 'skip'"
  return new Error(`read question set ${path}, ${first}${summary}`)
}

/** FlashRAG's ids say the split: `test_0`. */
const splitOfId = (id: string | undefined): string | undefined => /^(train|dev|test)_\d+$/.exec(id ?? '')?.[1]

/** Hugging Face calls `validation` what the sets call `dev`. */
const isSameSplit = (one: string | undefined, other: string): boolean =>
  one === other || [one, other].every((split) => split === 'dev' || split === 'validation')

/** Numbers begin anew in each split, so that it goes before them. */
function wholeId(raw: RawQuestion, dataset: string, split: string | undefined, number: number): string {
  if (raw.wholeId) return raw.id!
  const own = raw.id ?? String(number)
  return [dataset, ...(split !== undefined && /^\d+$/.test(own) ? [split] : []), own].join('-')
}
