import { z } from 'zod'
import { interruptSignal } from '../../host/jupyter.js'
import { withProgress } from '../../host/progress.js'
import { positiveInteger, seedSchema } from '../../policy/sampling-options.js'
import { hash } from '../../random/seeded-random.js'
import type { CalibratedSearch, Calibration, StyleDistance } from '../../schema/calibration.js'
import type { Document } from '../../schema/document.js'
import { summarizeFailures } from '../../schema/failure-summary.js'
import { aFunction, anAbortSignal, anObject, parseOptions } from '../../schema/parse-options.js'
import type { Question } from '../../schema/question.js'
import { documentSchema, questionSchema } from '../../schema/record-schemas.js'
import type { SearchContext, SearchEngine } from '../../search/search-engine.js'
import { compileSeconds } from '../../tensor/compile.js'
import { abortable } from '../../signal/abortable.js'
import type { Simulator } from '../../simulator/simulator.js'
import { sideBySide } from '../side-by-side.js'
import { trigramDivergence } from './divergence.js'
import { measureSearches } from './measures.js'
import { twoSampleTest } from './two-sample-test.js'

/** A question and what is searched for it, such as an example of `readSimulatorExamples`. */
export interface SearchedQuestion {
  /** For which documents are useful or not. */
  question: Question
  /** What is searched for. */
  query: string
}

/** Options of `calibrateSimulator`. */
export interface CalibrateOptions {
  /** What is searched for a question that comes without a query. Default: the question itself, as it stands. */
  query?: (question: Question) => string
  /** Documents of each search. Default 5. */
  topK?: number
  /** Shown in tables and figures. Default: the simulator's name. */
  name?: string
  /** Searches that are in work at a time; seconds are measured under this load. Default 8. */
  concurrency?: number
  /** Makes draws repeat. Default 0. */
  seed?: number
  /** Shows a bar with the time left. Default true. */
  progress?: boolean
  /** Gives up at once. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

const isQuestion = (value: unknown): value is Question => questionSchema.safeParse(value).success
const searched = z.object({ question: questionSchema, query: z.string() })

const optionsSchema = z.strictObject({
  simulator: anObject<SearchEngine>('a search engine', ['search']),
  referenceEngine: anObject<SearchEngine>('a search engine', ['search']),
  questions: z
    .array(
      z.custom<Question | SearchedQuestion>(
        (value) => isQuestion(value) || searched.safeParse(value).success,
        'must be a question, or { question, query }',
      ),
    )
    .min(1),
  query: aFunction<NonNullable<CalibrateOptions['query']>>().default(
    () =>
      ({ question }: Question) =>
        question,
  ),
  topK: positiveInteger.default(5),
  name: z.string().min(1).exactOptional(),
  concurrency: positiveInteger.default(8),
  seed: seedSchema.default(0),
  progress: z.boolean().default(true),
  signal: anAbortSignal().exactOptional(),
})

const found = z.object({ documents: z.array(documentSchema) })
const QUALITIES = ['useful', 'noisy', 'real'] as const

/**
 * Measures a simulator against a real engine: for each question one search for useful and one for noisy documents, and one of the
 * reference engine, with the same query. It tells whether useful documents hold an answer and noisy ones do not, whether
 * what the LLM wrote could be read, how long, how different and how repetitive documents are, how far their style is from that of
 * real ones (divergence of trigrams, classifier two-sample test), what a search takes, and keeps every search to be looked at.
 *
 * Seconds are those of the searches alone: what the models in this process compile meanwhile counts apart, as `compileSeconds`.
 *
 * Any search engine can be measured; only one that `createSimulator` makes tells tokens and cost. Containment is judged by
 * `containsAnswer`: an answer of one letter, "yes" and "no" say little.
 * @throws where an option is not what it must be, or more than half of the searches of a kind fail
 * @example
 * const calibration = await zs.calibrateSimulator(simulator, engine, questions.slice(0, 100), { name: 'prompt mode' })
 * await zs.display(calibration)
 * const heldOut = await zs.readSimulatorExamples('runs/data/validation.jsonl') // their own queries
 * await zs.display(await zs.calibrateSimulator(simulator, engine, heldOut, { topK: 3 }))
 * await zs.display(zs.plot.calibration([calibration]))
 */
export async function calibrateSimulator(
  simulator: SearchEngine,
  referenceEngine: SearchEngine,
  questions: readonly (Question | SearchedQuestion)[],
  options: CalibrateOptions = {},
): Promise<Calibration> {
  const given = { simulator, referenceEngine, questions, ...options }
  const checked = parseOptions('calibrate simulator', optionsSchema, given)
  const { query, topK, name = simulator.name, concurrency, seed, progress, signal = interruptSignal() } = checked
  const asked = questions.map((each) => (isQuestion(each) ? { question: each, query: query(each) } : each))
  const jobs = QUALITIES.flatMap((quality) => asked.map((each, i) => ({ ...each, quality, i })))
  const compiledBefore = compileSeconds()
  const task = { title: 'calibrate', unit: 'searches', total: jobs.length, progress }
  const searches = await withProgress(task, (report) => {
    let done = 0
    return sideBySide(jobs, concurrency, async ({ quality, question, query, i }) => {
      signal?.throwIfAborted()
      const context: SearchContext = {
        ...{ question, topK, seed: hash(seed, i) },
        ...(quality !== 'real' && { quality }),
        ...(signal && { signal }),
      }
      const engine = quality === 'real' ? referenceEngine : simulator
      const outcome = await measured(engine, query, context)
      report(++done)
      const { id: questionId, goldAnswers } = question
      return { questionId, question: question.question, goldAnswers, query, quality, ...outcome }
    })
  })
  const of = (quality: CalibratedSearch['quality']): CalibratedSearch[] =>
    searches.filter((search) => search.quality === quality)
  for (const quality of QUALITIES) checkFailures(of(quality), quality === 'real' ? referenceEngine.name : name)
  return {
    simulator: name,
    reference: referenceEngine.name,
    questions: questions.length,
    topK,
    concurrency,
    compileSeconds: compileSeconds() - compiledBefore,
    useful: measureSearches(of('useful'), topK, seed),
    noisy: measureSearches(of('noisy'), topK, seed),
    real: measureSearches(of('real'), topK, seed),
    style: { useful: distance(of('useful'), of('real'), seed), noisy: distance(of('noisy'), of('real'), seed) },
    searches,
  }
}

type Outcome = Pick<CalibratedSearch, 'documents' | 'text' | 'seconds' | 'tokens' | 'cost' | 'failure'>

const isSimulator = (engine: SearchEngine): engine is Simulator =>
  typeof (engine as Partial<Simulator>).simulate === 'function'

async function measured(engine: SearchEngine, query: string, context: SearchContext): Promise<Outcome> {
  const started = performance.now()
  const compiledBefore = compileSeconds()
  // A search that waits for a compilation, its own or another's, waits for all of it.
  const seconds = (): number => Math.max(0, (performance.now() - started) / 1000 - (compileSeconds() - compiledBefore))
  try {
    const answer = await abortable(ask(engine, query, context), context.signal)
    const took = seconds()
    // An engine is foreign code: what it gives is checked like any input.
    const { documents: given, text, ...spent } = answer
    const { documents } = parseOptions('search', found, { documents: given })
    const shown = documents.slice(0, context.topK)
    const unread = text !== undefined && shown.length < context.topK
    return { documents: shown, seconds: took, ...(unread && { text }), ...spent }
  } catch (error) {
    context.signal?.throwIfAborted()
    return { documents: [], seconds: seconds(), failure: error instanceof Error ? error.message : String(error) }
  }
}

async function ask(
  engine: SearchEngine,
  query: string,
  context: SearchContext,
): Promise<{ documents: Document[] } & Pick<Outcome, 'text' | 'tokens' | 'cost'>> {
  if (isSimulator(engine)) {
    const { documents, text, promptTokens, completionTokens, cost } = await engine.simulate(query, context)
    const tokens = { prompt: promptTokens, completion: completionTokens }
    return { documents, text, tokens, ...(cost !== undefined && { cost }) }
  }
  let text: string | undefined
  const documents = await engine.search(query, { ...context, onUnread: (unread) => void (text = unread) })
  return { documents, ...(text !== undefined && { text }) }
}

/** A calibration of failures says nothing. */
function checkFailures(searches: readonly CalibratedSearch[], engine: string): void {
  const { failed, causes } = summarizeFailures(
    searches.map(({ failure }) => (failure === undefined ? {} : { failure })),
  )
  if (failed === 0) return
  const told = `calibrate simulator: ${failed} of ${searches.length} searches of ${engine} failed; commonest cause (${causes[0]!.count}): ${causes[0]!.message}`
  if (failed > searches.length / 2) throw new Error(`${told}; this is more than half`)
  console.warn(told)
}

function distance(
  simulated: readonly CalibratedSearch[],
  real: readonly CalibratedSearch[],
  seed: number,
): StyleDistance | null {
  const textsOf = ({ documents }: CalibratedSearch): string[] => documents.map(({ text }) => text)
  const [first, second] = [simulated.flatMap(textsOf), real.flatMap(textsOf)]
  if (first.length === 0 || second.length === 0) return null
  const { divergence, byChance } = trigramDivergence(first, second, seed)
  const pairs = simulated.map((search, i) => ({ first: textsOf(search), second: textsOf(real[i]!) }))
  return { divergence, divergenceByChance: byChance, told: twoSampleTest(pairs, seed) }
}
