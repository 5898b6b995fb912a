import { createHash } from 'node:crypto'
import { z } from 'zod'
import { hash } from '../random/seeded-random.js'
import type { Document, Quality } from '../schema/document.js'
import { parseOptions } from '../schema/parse-options.js'
import type { SearchContext, SearchEngine } from '../search/search-engine.js'
import { drawQuality, noiseThreshold } from '../simulator/curriculum.js'
import type { Curriculum } from '../simulator/curriculum.js'
import type { Admission } from './admission.js'
import type { Handler } from './http-server.js'
import type { Metrics } from './metrics.js'
import { checked } from './refusal.js'

/** What queries are answered with. */
export interface Retrieval {
  searchEngine: SearchEngine
  /** Documents where the client names no number. */
  topK: number
  curriculum: Curriculum | undefined
  /** Number of the client's updates, which `step` counts. */
  updates: number | undefined
  admission: Admission
  metrics: Metrics
}

/** More documents than any engine gives for one query. */
const MOST_DOCUMENTS = 1000

const text = z.string()
const count = z.int().min(0)
const topK = z.int().min(1).max(MOST_DOCUMENTS).nullish()

/** What a query may carry for a simulator. A field that is null counts as absent. */
const carried = z.object({
  question: text.nullish(),
  gold_answers: z.array(text.min(1)).nullish(),
  supporting_facts: z.array(text).nullish(),
  seed: z.int().nullish(),
  search: count.nullish(),
  step: count.nullish(),
  quality: z.enum(['useful', 'noisy']).nullish(),
})
type Carried = z.infer<typeof carried>

const searchR1 = z.object({
  queries: z.array(text),
  topk: topK,
  return_scores: z.boolean().nullish(),
  contexts: z.array(carried.nullable()).nullish(),
})
const wiki = z.object({ query: text, top_k: topK, context: carried.nullish() })
const either = z.record(z.string(), z.unknown())

/**
 * `POST /retrieve`: `queries`, `topk` and `return_scores` are Search-R1's names, which SkyRL sends beside one `query`; `query`
 * without them is the shape of ZeroSearch's retriever over Wikipedia.
 */
export function retrieve(retrieval: Retrieval): Handler {
  return async ({ body, signal }) => {
    const fields = checked(() => parseOptions('retrieve', z.object({ body: either }), { body })).body
    if (!('query' in fields) || 'queries' in fields) return askSearchR1(retrieval, fields, signal)
    if (!('topk' in fields) && !('return_scores' in fields)) return askWiki(retrieval, fields, signal)
    const { query, context, ...rest } = fields
    return askSearchR1(retrieval, { ...rest, queries: [query], contexts: [context ?? null] }, signal)
  }
}

async function askSearchR1(retrieval: Retrieval, body: unknown, signal: AbortSignal): Promise<object> {
  const { queries, topk, return_scores: scored, contexts } = checked(() => parseOptions('retrieve', searchR1, body))
  checked(() => {
    if (!contexts || contexts.length === queries.length) return
    throw new Error(`retrieve: contexts must be one for each of ${queries.length} queries, got ${contexts.length}`)
  })
  const asked = queries.map((query, i) => ({ query, carried: contexts?.[i] ?? {} }))
  const found = await searchAll(retrieval, asked, topk ?? retrieval.topK, signal)
  return {
    result: found.map(({ documents }) =>
      documents.map((document) => (scored ? withScore(document) : passage(document))),
    ),
    ...(found.some(({ quality }) => quality) && { qualities: found.map(({ quality }) => quality ?? null) }),
  }
}

async function askWiki(retrieval: Retrieval, body: unknown, signal: AbortSignal): Promise<object[]> {
  const { query, top_k, context } = checked(() => parseOptions('retrieve', wiki, body))
  const found = await searchAll(retrieval, [{ query, carried: context ?? {} }], top_k ?? retrieval.topK, signal)
  return found[0]!.documents.map((document) => ({ text: contentsOf(document) }))
}

interface Found {
  documents: Document[]
  quality: Quality | undefined
}

/** All queries of a request; where one fails the request does, and the others are given up. */
async function searchAll(
  retrieval: Retrieval,
  asked: readonly { query: string; carried: Carried }[],
  topK: number,
  signal: AbortSignal,
): Promise<Found[]> {
  const { searchEngine, admission, metrics } = retrieval
  const contexts = asked.map(({ query, carried }) => checked(() => contextOf(retrieval, query, carried, topK)))
  const places = admission.admit(asked.length)
  const controller = new AbortController()
  const stop = (): void => controller.abort(signal.reason)
  signal.addEventListener('abort', stop)
  try {
    return await Promise.all(
      asked.map(async ({ query }, i) => {
        const context = { ...contexts[i]!, signal: controller.signal }
        const documents = await places.run(() => searchEngine.search(query, context), context.signal)
        metrics.searches++
        metrics.documents += documents.length
        return { documents: documents.slice(0, topK), quality: context.quality }
      }),
    )
  } catch (error) {
    controller.abort(error)
    throw error
  } finally {
    signal.removeEventListener('abort', stop)
    places.end()
  }
}

/** As a rollout in this process would ask: the same seed and number of the search draw the same. */
function contextOf({ curriculum, updates }: Retrieval, query: string, carried: Carried, topK: number): SearchContext {
  const { question, gold_answers: goldAnswers, supporting_facts: supportingFacts, search, step } = carried
  const seed = carried.seed ?? seedOf(query, carried)
  const n = search ?? 0
  const quality = carried.quality ?? drawn(curriculum, { seed, search: n, step: step ?? undefined, updates })
  return {
    question: {
      id: 'served',
      dataset: 'served',
      question: question ?? query,
      // Other trainers' clients send none; a simulator is then told none.
      goldAnswers: goldAnswers ?? [],
      ...(supportingFacts && { supportingFacts }),
    },
    topK,
    seed: hash(seed, n),
    ...(quality && { quality }),
  }
}

/** A query without a seed has one of its words, so that it is answered alike whenever it comes. */
function seedOf(query: string, { question, step, search }: Carried): number {
  const words = JSON.stringify([query, question ?? null, step ?? null, search ?? null])
  return createHash('sha256').update(words).digest().readInt32LE()
}

function drawn(
  curriculum: Curriculum | undefined,
  {
    seed,
    search,
    step,
    updates,
  }: { seed: number; search: number; step: number | undefined; updates: number | undefined },
): Quality | undefined {
  if (curriculum === undefined) return undefined
  if (typeof curriculum === 'number') return drawQuality(curriculum, seed, search)
  if (step === undefined) {
    throw new Error('retrieve: a query must carry its step, because the noise of this server depends on it')
  }
  return drawQuality(noiseThreshold(curriculum, step, updates!), seed, search)
}

/** The title in quotes on the first line, as in Search-R1's corpora. */
const contentsOf = ({ title, text }: Pick<Document, 'title' | 'text'>): string => (title ? `"${title}"\n${text}` : text)

/** Clients take the first line of a passage for its title, so that of a document without one stays empty. */
const passage = ({ id, title, text }: Document): object => ({
  ...(id !== undefined && { id }),
  contents: title ? contentsOf({ title, text }) : `\n${text}`,
})

const withScore = (document: Document): object => ({
  document: passage(document),
  ...(document.score !== undefined && { score: document.score }),
})
