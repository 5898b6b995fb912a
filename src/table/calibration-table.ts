import { table, type ColumnTable } from 'arquero'
import { holdsAnswer } from '../evaluation/calibration/measures.js'
import type { Calibration, DocumentMeasures, Share } from '../schema/calibration.js'

const KINDS = ['useful', 'noisy', 'real'] as const

/**
 * One row for each kind of documents: useful and noisy of every simulator, and the reference engine's. Shares of searches:
 * `holdsAnswer` with its 95 % interval, `byChance`. `parsed` is of the documents that were asked for. `told` is how often a classifier
 * tells the documents from real ones, with its p-value. What was not measured is null.
 * @param calibrations Of several simulators, each reference engine is listed once.
 * @example
 * await zs.display(zs.calibrationTable([await zs.calibrateSimulator(simulator, engine, questions)]))
 */
export function calibrationTable(calibrations: readonly Calibration[]): ColumnTable {
  const rows = calibrations.flatMap((calibration, i) =>
    KINDS.filter((kind) => kind !== 'real' || isFirstOf(calibrations, i)).map((kind) => ({ calibration, kind })),
  )
  rows.sort((a, b) => Number(a.kind === 'real') - Number(b.kind === 'real'))
  const column = <T>(read: (measures: DocumentMeasures, row: (typeof rows)[number]) => T): T[] =>
    rows.map((row) => read(row.calibration[row.kind], row))
  const shares = (name: string, read: (measures: DocumentMeasures) => Share): Record<string, (number | null)[]> => ({
    [name]: column((measures) => read(measures).share),
    [`${name}Low`]: column((measures) => read(measures).low),
    [`${name}High`]: column((measures) => read(measures).high),
  })
  const style = column((_, { calibration, kind }) => (kind === 'real' ? null : calibration.style[kind]))
  return table({
    engine: column((_, { calibration, kind }) => (kind === 'real' ? calibration.reference : calibration.simulator)),
    documents: column((_, { kind }) => kind),
    searches: column((measures) => measures.searches),
    failed: column((measures) => measures.failed),
    ...shares('holdsAnswer', (measures) => measures.holdsAnswer),
    byChance: column((measures) => measures.holdsAnswerByChance.share),
    ...shares('documentHoldsAnswer', (measures) => measures.documentHoldsAnswer),
    parsed: column((measures) => measures.parsed.share),
    words: column((measures) => measures.words.mean),
    distinct1: column((measures) => measures.distinct1),
    distinct2: column((measures) => measures.distinct2),
    repeated: column((measures) => measures.repeated.share),
    resemblance: column((measures) => measures.resemblance),
    divergence: style.map((distance) => distance?.divergence ?? null),
    divergenceByChance: style.map((distance) => distance?.divergenceByChance ?? null),
    told: style.map((distance) => distance?.told?.share ?? null),
    toldPValue: style.map((distance) => distance?.told?.pValue ?? null),
    seconds: column((measures) => measures.seconds.median),
    secondsP95: column((measures) => measures.seconds.p95),
    promptTokens: column((measures) => measures.tokens?.prompt ?? null),
    completionTokens: column((measures) => measures.tokens?.completion ?? null),
    cost: column((measures) => measures.cost ?? null),
  })
}

const isFirstOf = (calibrations: readonly Calibration[], i: number): boolean =>
  calibrations.findIndex(({ reference }) => reference === calibrations[i]!.reference) === i

/**
 * One row for each document of a calibration, to check the report by hand: question, gold answers, kind of document, its text,
 * and whether it was found to hold an answer. A search without documents has a row with a text of null.
 * @example
 * const calibration = await zs.calibrateSimulator(simulator, engine, questions)
 * await zs.display(zs.calibrationDocuments(calibration))
 */
export function calibrationDocuments({ searches }: Calibration): ColumnTable {
  const rows = searches.flatMap((search) =>
    (search.documents.length > 0 ? search.documents : [undefined]).map((document) => ({ search, document })),
  )
  return table({
    questionId: rows.map(({ search }) => search.questionId),
    question: rows.map(({ search }) => search.question),
    goldAnswers: rows.map(({ search }) => search.goldAnswers.join(' or ')),
    query: rows.map(({ search }) => search.query),
    documents: rows.map(({ search }) => search.quality),
    rank: rows.map(({ document }) => document?.rank ?? null),
    title: rows.map(({ document }) => document?.title ?? null),
    text: rows.map(({ document }) => document?.text ?? null),
    holdsAnswer: rows.map(({ search, document }) => (document ? holdsAnswer(document, search.goldAnswers) : null)),
    failure: rows.map(({ search }) => search.failure ?? null),
  })
}
