import type { Completion } from '../language-model/language-model.js'
import type { Figure } from '../plot/figure.js'
import type { Calibration } from '../schema/calibration.js'
import type { Counterfactual } from '../schema/counterfactual.js'
import type { Document } from '../schema/document.js'
import type { EngineComparison } from '../schema/engine-comparison.js'
import type { Forecast } from '../schema/forecast.js'
import type { LeakAudit } from '../schema/leak-audit.js'
import type { Question } from '../schema/question.js'
import type { RunDifference } from '../schema/run-summary.js'
import type { Score } from '../schema/score.js'
import type { TokenView } from '../schema/token-view.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { Server } from '../serve/serve.js'
import type { Simulation } from '../simulator/simulator.js'
import type { SimulatorData } from '../simulator-data/build.js'
import type { SimulatorExample } from '../simulator-data/label.js'
import { exactMatch, f1 } from '../reward/answer-metrics.js'
import { bestCells } from '../table/best-cells.js'
import { calibrationFields, calibrationHtml, calibrationText, shareText } from './calibration-html.js'
import { fieldsHtml, fieldsText } from './fields-html.js'
import { figureBundle } from './figure-bundle.js'
import { forecastFields, forecastHtml, forecastText } from './forecast-html.js'
import { html } from './html.js'
import type { Bundle, ShowContext } from './bundle.js'
import { modelFields } from './model-fields.js'
import type { Model } from './model-fields.js'
import { count, decimals } from './number-text.js'
import { hasFields, isRecord } from './shape.js'
import type { Shape } from './shape.js'
import { SHOWN_DIGITS, tableCells } from './table-cells.js'
import { tableHtml, tableText } from './table-html.js'
import { recordsView, sorted, tableView } from './table-view.js'
import type { TableView } from './table-view.js'
import { tokenViewHtml, tokenViewText } from './token-view-html.js'
import { documentsHtml, simulationHtml, trajectoryHtml } from './trajectory-html.js'

/** Everything that shows itself, in the order in which a value is asked for it. A new kind of record is one entry here. */
const SHAPES: Shape[] = [
  shape({
    plural: 'tables',
    is: (value) => tableView(value) !== undefined,
    show: (value: unknown, context) => tableBundle(tableView(value)!, context),
  }),
  shape({
    plural: 'trajectories',
    is: isTrajectory,
    show: (trajectory: Trajectory, { style }) => ({
      'text/html': trajectoryHtml(trajectory, style),
      'text/plain': trajectory.turns.map((turn) => turn.text).join('\n'),
    }),
    row: ({ question, answer, searches, stopReason, failure }) => ({
      question: question.question,
      answer,
      'gold answers': question.goldAnswers.join(' or '),
      EM: exactMatch(answer, question.goldAnswers),
      F1: f1(answer, question.goldAnswers),
      searches,
      ended: failure ? `failed in ${failure.boundary}: ${failure.message}` : stopReason,
    }),
  }),
  shape({
    plural: 'token views',
    is: isTokenView,
    show: (view: TokenView, { style, isStatic }) => ({
      'text/html': tokenViewHtml(view, style, isStatic),
      'text/plain': tokenViewText(view),
    }),
    row: ({ question, answer, policy, algorithm, reward, tokens }) => ({
      ...{ question, answer, policy, algorithm, reward },
      tokens: tokens.length,
    }),
  }),
  shape({
    plural: 'documents',
    is: isDocument,
    show: (document: Document, { style }) => documentList([document], style),
    showMany: (documents, { style }) => documentList(documents, style),
  }),
  shape({
    plural: 'models',
    is: (value) =>
      hasFields(value, { name: 'string', complete: 'function' }) ||
      hasFields(value, { name: 'string', tokenizer: 'object', contextLength: 'present', start: 'function' }),
    show: (model: Model, context) => fieldsBundle(modelFields(model), context),
    row: modelFields,
  }),
  shape({
    plural: 'generations',
    is: (value) => hasFields(value, { text: 'string', ids: 'array', logprobs: 'array', stopReason: 'present' }),
    show: (generation: Generation, context) => fieldsBundle(generationFields(generation), context),
    row: generationFields,
  }),
  shape({
    plural: 'completions',
    is: (value) => hasFields(value, { text: 'string', finishReason: 'string', completionTokens: 'present' }),
    ...fromRow(({ text, finishReason, stopString, promptTokens, completionTokens, cost }: Completion) => ({
      text,
      'ended by': stopString ?? finishReason,
      tokens: completionTokens,
      'tokens of the prompt': promptTokens,
      cost,
    })),
  }),
  shape({
    plural: 'simulations',
    is: (value) =>
      hasFields(value, { documents: 'array', text: 'string' }) && (value['documents'] as unknown[]).every(isDocument),
    show: ({ documents, text }: Simulation, { style }) => ({
      'text/html': simulationHtml(documents, text, style),
      'text/plain': `${documents.length} documents were read in:\n${text}`,
    }),
    row: ({ documents, text }) => ({ documents: documents.length, text }),
  }),
  shape({
    plural: 'simulator data',
    is: (value) => hasFields(value, { folder: 'string', train: 'string', counts: 'object' }),
    ...fromRow(({ folder, counts: { attempts, searches, examples } }: SimulatorData) => ({
      folder,
      'attempts, right and wrong': `${attempts.right} and ${attempts.wrong} of ${attempts.all}`,
      searches: searches.all,
      'useful and noisy examples': `${examples.train.useful} and ${examples.train.noisy}`,
      'held out': `${examples.heldOut.useful} and ${examples.heldOut.noisy}`,
    })),
  }),
  shape({
    plural: 'simulator examples',
    is: (value) => hasFields(value, { quality: 'string', query: 'string', documents: 'strings', question: 'object' }),
    ...fromRow(({ quality, query, question, documents }: SimulatorExample) => ({
      quality,
      question: question.question,
      'gold answers': question.goldAnswers.join(' or '),
      query,
      documents: documents.map((text, i) => `Doc ${i + 1}: ${text}`).join('\n'),
    })),
  }),
  shape({
    plural: 'questions',
    is: (value) => hasFields(value, { id: 'string', dataset: 'string', question: 'string', goldAnswers: 'strings' }),
    ...fromRow(({ id, dataset, question, goldAnswers, supportingFacts }: Question) => ({
      id,
      dataset,
      question,
      'gold answers': goldAnswers.join(' or '),
      'supporting facts': Array.isArray(supportingFacts) ? supportingFacts.join(' ') : supportingFacts,
    })),
  }),
  shape({
    plural: 'scores',
    is: (value) =>
      hasFields(value, { method: 'string', dataset: 'string', questionId: 'string', em: 'present', f1: 'present' }),
    ...fromRow((score: Score) => ({ ...score })),
  }),
  shape({
    plural: 'updates',
    is: (value) => hasFields(value, { update: 'present', reward: 'present', em: 'present', kl: 'present' }),
    ...fromRow(({ metrics, ...record }: UpdateRecord) => ({ ...metrics, ...record })),
  }),
  shape({
    plural: 'calibrations',
    is: (value) =>
      hasFields(value, {
        simulator: 'string',
        reference: 'string',
        useful: 'object',
        real: 'object',
        searches: 'array',
      }),
    show: (calibration: Calibration, { style }) => ({
      'text/html': calibrationHtml(calibration, style),
      'text/plain': calibrationText(calibration),
    }),
    row: calibrationFields,
  }),
  shape({
    plural: 'replays',
    is: (value) => hasFields(value, { documents: 'string', query: 'string', fate: 'string', trajectory: 'object' }),
    ...fromRow(({ question, documents, query, before, after, fate, emBefore, emAfter }: Counterfactual) => ({
      ...{ question, documents, query, before, after, fate },
      ...{ 'EM before': emBefore, 'EM after': emAfter },
    })),
  }),
  shape({
    plural: 'leak audits',
    is: (value) =>
      hasFields(value, { without: 'strings', leaked: 'object', trajectories: 'array', samples: 'present' }),
    ...fromRow(({ without, samples, leaked, leakedOfRewarded, reward, rewardWithoutLeaked }: LeakAudit) => ({
      'asked without the gold answer': `${without.join(', ')}; ${count(samples)} times a query`,
      'trajectories that leaked': shareText(leaked),
      'of those with a reward': shareText(leakedOfRewarded),
      'mean reward': reward,
      'without what leaked': rewardWithoutLeaked,
    })),
  }),
  shape({
    plural: 'comparisons of engines',
    is: (value) =>
      hasFields(value, { onlySimulated: 'present', onlyReal: 'present', simulated: 'array', real: 'array' }),
    ...fromRow(({ simulated: _, real: __, ...comparison }: EngineComparison) => ({
      questions: comparison.questions,
      'right with both': comparison.both,
      'with the simulator alone': comparison.onlySimulated,
      'with the real engine alone': comparison.onlyReal,
      'with none': comparison.neither,
      'EM real − simulated': `${decimals(comparison.difference, 3)} (${decimals(comparison.low, 3)} to ${decimals(comparison.high, 3)})`,
      'p (McNemar)': comparison.pValue,
    })),
  }),
  shape({
    plural: 'forecasts',
    is: (value) =>
      hasFields(value, { memory: 'object', peakBytes: 'present', rolloutSeconds: 'present', totalSearches: 'present' }),
    show: (forecast: Forecast, { style }) => ({
      'text/html': forecastHtml(forecast, style),
      'text/plain': forecastText(forecast),
    }),
    row: forecastFields,
  }),
  shape({
    plural: 'servers',
    is: (value) => hasFields(value, { url: 'string', endpoints: 'strings', counts: 'object', close: 'function' }),
    ...fromRow(({ url, endpoints, counts }: Server) => ({
      url,
      endpoints: endpoints.join(', '),
      ...counts,
    })),
  }),
  shape({
    plural: 'steps',
    is: (value) => hasFields(value, { step: 'present', loss: 'present', learningRate: 'present' }),
    ...fromRow((record: object) => ({ ...record })),
  }),
  shape({
    plural: 'comparisons',
    is: (value) =>
      hasFields(value, { onlyFirst: 'present', onlySecond: 'present', difference: 'present', pValue: 'present' }),
    ...fromRow((comparison: object) => ({ ...comparison })),
  }),
  shape({
    plural: 'differences of runs',
    is: (value) =>
      hasFields(value, { conclusion: 'string', identical: 'present', compared: 'present', settings: 'strings' }),
    ...fromRow(({ conclusion, compared, settings, record, trajectory }: RunDifference) => ({
      conclusion,
      'updates compared': compared,
      'settings that differ': settings.join(', '),
      'first record': record,
      'first trajectory': trajectory,
    })),
  }),
  shape({
    plural: 'figures',
    is: (value) =>
      hasFields(value, { data: 'array', layout: 'object' }) && (value['data'] as unknown[]).every(isRecord),
    show: (figure: Figure, { isStatic }) => figureBundle(figure, isStatic),
  }),
]

/** The bundle of a value, or of an array of values, of a kind that the list has; undefined for others. */
export function showShape(value: unknown, context: ShowContext): Bundle | Promise<Bundle> | undefined {
  const single = SHAPES.find(({ is }) => is(value))
  if (single) return single.show(value as never, context)
  if (!Array.isArray(value) || value.length === 0) return undefined
  const shape = SHAPES.find(({ is, row, showMany }) => (row ?? showMany) && value.every(is))
  if (shape?.showMany) return shape.showMany(value as never[], context)
  return shape?.row && tableBundle(recordsView(value as never[], shape.row, shape.plural), context)
}

/** Has the compiler check that an entry's functions are about one type. */
function shape<T>(entry: Shape<T>): Shape {
  return entry
}

/** A record that shows its row's fields below each other, and many of them as a table. */
function fromRow<T>(row: (value: T) => Record<string, unknown>): Pick<Shape<T>, 'show' | 'row'> {
  return { row, show: (value, context) => fieldsBundle(row(value), context) }
}

const fieldsBundle = (fields: Record<string, unknown>, { style }: ShowContext): Bundle => ({
  'text/html': fieldsHtml(fields, style),
  'text/plain': fieldsText(fields),
})

function tableBundle(table: TableView, { style, sort, best }: ShowContext): Bundle {
  const view = sort === undefined ? table : sorted(table, sort)
  const cells = tableCells(view, undefined, best && bestOf(view, best))
  return { 'text/html': tableHtml(cells, style), 'text/plain': tableText(cells) }
}

function bestOf(view: TableView, options: NonNullable<ShowContext['best']>): ReturnType<typeof bestCells> {
  const rows = Array.from({ length: view.rows }, (_, row) => row)
  const columns = new Map(view.columns.map((name, i) => [name, rows.map((row) => view.value(row, i))]))
  return bestCells('display', columns, { ...options, digits: SHOWN_DIGITS })
}

const documentList = (documents: readonly Document[], style: ShowContext['style']): Bundle => ({
  'text/html': html`${documentsHtml(documents, style)}`,
  'text/plain': documents.map(({ rank, text }) => `${rank}. ${text}`).join('\n'),
})

/** Tokens that a policy sampled. */
interface Generation {
  text: string
  ids: readonly unknown[]
  logprobs: readonly number[]
  stopReason: unknown
}

function generationFields({ text, ids, logprobs, stopReason }: Generation): Record<string, unknown> {
  const mean = logprobs.length === 0 ? undefined : logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length
  return {
    text,
    tokens: ids.length,
    'ended by': stopReason,
    'mean log-probability': mean === undefined ? undefined : `${decimals(mean, 3)} nats per token`,
  }
}

function isDocument(value: unknown): boolean {
  if (!hasFields(value, { text: 'string', rank: 'present' })) return false
  return ['string', 'undefined'].includes(typeof value['title'])
}

function isTokenView(value: unknown): boolean {
  return (
    hasFields(value, { tokens: 'array', policy: 'string', question: 'string', stopReason: 'present' }) &&
    (value['tokens'] as unknown[]).every((token) =>
      hasFields(token, { place: 'present', text: 'present', source: 'present' }),
    )
  )
}

function isTrajectory(value: unknown): boolean {
  if (!hasFields(value, { turns: 'array', lossMask: 'array', question: 'object', answer: 'string or null' }))
    return false
  if (!hasFields(value['question'], { question: 'string', goldAnswers: 'strings' })) return false
  return (value['turns'] as unknown[]).every(isTurn)
}

function isTurn(value: unknown): boolean {
  if (!hasFields(value, { text: 'string' })) return false
  const observation = value['observation']
  if (observation === undefined || observation === null) return true
  return (
    hasFields(observation, { text: 'string', documents: 'array' }) &&
    (observation['documents'] as unknown[]).every(isDocument)
  )
}
