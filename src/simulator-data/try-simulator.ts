import { z } from 'zod'
import { sideBySide } from '../evaluation/side-by-side.js'
import { withProgress } from '../host/progress.js'
import { interruptSignal } from '../host/jupyter.js'
import { seedSchema } from '../policy/sampling-options.js'
import { containsAnswer } from '../reward/contains-answer.js'
import { normalizeAnswer } from '../reward/normalize-answer.js'
import type { Quality } from '../schema/document.js'
import { anAbortSignal, anObject, parseOptions } from '../schema/parse-options.js'
import type { SearchEngine } from '../search/search-engine.js'
import type { SimulatorExample } from './label.js'

/** How documents of one quality are, over many searches. */
export interface SimulatorTrial {
  /** Whose documents: the simulator's name, or `examples`. */
  name: string
  quality: Quality
  /** Searches that were made. */
  searches: number
  /** Share of the searches of which a document holds a gold answer: near 1 where useful, near 0 where noisy. */
  withAnswer: number
  /** Share of the searches with as many documents as were asked for. */
  complete: number
  /** Documents of a search, on average. */
  documents: number
  /** Words of a document, on average. */
  words: number
  /** Distinct-2: different pairs of words among all pairs, in [0, 1] (Li et al. 2016, arXiv 1510.03055). */
  distinct2: number
}

/** Options of `trySimulator`. */
export interface TrySimulatorOptions {
  /** Makes texts repeat. Default 0. */
  seed?: number
  /** Gives up at once. Default: the stop button of the notebook. */
  signal?: AbortSignal
  /** Shows a bar. Default true. */
  progress?: boolean
}

const schema = z.strictObject({
  simulator: anObject<SearchEngine>('a search engine', ['search']),
  examples: z.array(z.custom<SimulatorExample>((value) => typeof value === 'object' && value !== null)).min(1),
  seed: seedSchema.default(0),
  signal: anAbortSignal().optional(),
  progress: z.boolean().optional(),
})

const QUALITIES = ['useful', 'noisy'] as const

/** Searches that wait for the simulator at a time. */
const CONCURRENCY = 64

/**
 * Asks a simulator the queries of examples that it has not learned, each for useful and for noisy documents, and says how the
 * documents are, beside those of the examples themselves, which a real engine gave. As many documents are asked for as the
 * example has.
 * @throws where the simulator fails, or an option is not what it must be
 * @example
 * const examples = await zs.readSimulatorExamples(data.heldOut!)
 * await zs.display(await zs.trySimulator(zs.createSimulator(writer, { prompt }), examples))
 */
export async function trySimulator(
  simulator: SearchEngine,
  examples: readonly SimulatorExample[],
  options: TrySimulatorOptions = {},
): Promise<SimulatorTrial[]> {
  const checked = parseOptions('try simulator', schema, { ...options, simulator, examples })
  const { seed, progress, signal = interruptSignal() } = checked
  const asked = examples.flatMap((example, place) => QUALITIES.map((quality) => ({ ...example, quality, place })))
  const total = asked.length
  const tried = await withProgress({ title: 'trySimulator', unit: 'searches', total, progress }, (report) => {
    let done = 0
    return sideBySide(asked, CONCURRENCY, async ({ query, question, quality, documents, place }) => {
      signal?.throwIfAborted()
      const context = { question, quality, topK: documents.length, seed: seed + place, ...(signal && { signal }) }
      const found = await simulator.search(query, context)
      report(++done)
      return { quality, question, asked: documents.length, documents: found.map(({ text }) => text) }
    })
  })
  const real = examples.map((example) => ({ ...example, asked: example.documents.length }))
  return [
    ...QUALITIES.map((quality) => describe(simulator.name, quality, tried)),
    ...QUALITIES.map((quality) => describe('examples', quality, real)),
  ].filter(({ searches }) => searches > 0)
}

type Searched = Pick<SimulatorExample, 'quality' | 'question' | 'documents'> & { asked: number }

function describe(name: string, quality: Quality, searched: readonly Searched[]): SimulatorTrial {
  const searches = searched.filter((search) => search.quality === quality)
  const share = (test: (search: Searched) => boolean): number => searches.filter(test).length / searches.length
  const texts = searches.flatMap(({ documents }) => documents)
  const words = texts.map((text) => normalizeAnswer(text).split(' '))
  const pairs = words.flatMap((list) => list.slice(1).map((word, i) => `${list[i]!} ${word}`))
  return {
    name,
    quality,
    searches: searches.length,
    withAnswer: share(({ documents, question }) =>
      documents.some((text) => containsAnswer(text, question.goldAnswers)),
    ),
    complete: share(({ documents, asked }) => documents.length === asked),
    documents: texts.length / searches.length,
    words: texts.reduce((sum, text) => sum + text.split(/\s+/).length, 0) / Math.max(1, texts.length),
    distinct2: new Set(pairs).size / Math.max(1, pairs.length),
  }
}
