import { z } from 'zod'
import { addressSchema, checkSecrets, serverShape } from '../http/options.js'
import type { ServerOptions } from '../http/options.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Document } from '../schema/document.js'
import { elasticsearchKey } from '../schema/settings.js'
import type { SearchContext, SearchEngine } from './search-engine.js'
import { servedEngine } from './served-engine.js'

/** Options of engines behind servers of one's own. */
export interface RetrieverOptions extends ServerOptions {
  /** Address without the path: `http://127.0.0.1:8000`. */
  baseUrl?: string
  /** Addresses of several servers that hold the same documents. */
  baseUrls?: readonly string[]
  /** Shown in messages, and checked where a training is resumed. */
  name?: string
}

const shape = {
  baseUrl: addressSchema.exactOptional(),
  baseUrls: z.array(addressSchema).min(1).exactOptional(),
  name: z.string().min(1).exactOptional(),
  ...serverShape,
}
const schema = z
  .strictObject(shape)
  .refine(({ baseUrl, baseUrls }) => (baseUrl === undefined) !== (baseUrls === undefined), {
    path: ['baseUrl'],
    error: 'or baseUrls must be given, one of them',
  })

function served(operation: string, options: RetrieverOptions) {
  checkSecrets(operation, options)
  const { baseUrl, baseUrls, name = operation, ...limits } = parseOptions(operation, schema, options)
  return { name, addresses: baseUrls ?? [baseUrl!], limits }
}

const passage = z.object({ id: z.union([z.string(), z.number()]).nullish(), contents: z.string() })
const searchR1Answer = z.object({
  // One list for each query: of documents with their scores, or of documents alone.
  result: z.tuple([z.array(z.union([z.object({ document: passage, score: z.number().nullish() }), passage]))]),
})

/** Options of `searchR1Engine`. */
export interface SearchR1Options extends RetrieverOptions {
  /**
   * Sends the question's text, its gold answers and supporting facts, quality and seed along with each query: for a simulator behind
   * `zs.serve`, which has to know them. A training draws the quality by its own curriculum and records it, so the server needs
   * no curriculum and no step. Default false, for a retriever over a corpus needs none of it.
   */
  contexts?: boolean
}

/** What a served simulator is told beside the query (`src/serve/retrieve.ts`). */
const carried = ({ question, quality, seed }: SearchContext): object => ({
  question: question.question,
  gold_answers: question.goldAnswers,
  ...(question.supportingFacts && { supporting_facts: question.supportingFacts }),
  ...(quality && { quality }),
  ...(seed !== undefined && { seed }),
})

/**
 * A server that speaks as Search-R1's retriever does: `POST /retrieve` with `{ queries, topk, return_scores }`. verl's and
 * SkyRL's do so too. The first line of a passage's `contents` is its title.
 * @throws where an option is not what it must be; a search rejects where the server fails
 * @example
 * const engine = zs.searchR1Engine({ baseUrl: 'http://127.0.0.1:8000' })
 * await zs.display(await engine.search('capital of Peru', { question, topK: 3 }))
 */
export function searchR1Engine({ contexts = false, ...options }: SearchR1Options): SearchEngine {
  parseOptions('search-r1', z.object({ contexts: z.boolean() }), { contexts })
  return servedEngine(served('search-r1', options), {
    ask: (query, context) => ({
      path: '/retrieve',
      body: {
        ...{ queries: [query], topk: context.topK, return_scores: true },
        ...(contexts && { contexts: [carried(context)] }),
      },
    }),
    answer: searchR1Answer,
    read: ({ result: [found] }) =>
      found.map((each) =>
        'document' in each
          ? { ...read(each.document), ...(typeof each.score === 'number' && { score: each.score }) }
          : read(each),
      ),
  })
}

const read = ({ id, contents }: z.infer<typeof passage>): Omit<Document, 'rank'> => ({
  ...((id ?? undefined) !== undefined && { id: String(id) }),
  ...titled(contents),
})

/** `"Title"` on the first line, text below it. */
function titled(contents: string): Omit<Document, 'rank'> {
  const end = contents.indexOf('\n')
  if (end < 0) return { text: contents }
  const title = contents
    .slice(0, end)
    .trim()
    .replace(/^"(.*)"$/, '$1')
  return { ...(title !== '' && { title }), text: contents.slice(end + 1).trim() }
}

/**
 * A server that speaks as ZeroSearch's retriever over Wikipedia does: `POST /retrieve` with `{ query, top_k }`.
 * @throws as `searchR1Engine` does
 * @example
 * const engine = zs.wikiEngine({ baseUrl: 'http://127.0.0.1:6002' })
 * await zs.display(await engine.search('capital of Peru', { question, topK: 5 }))
 */
export function wikiEngine(options: RetrieverOptions): SearchEngine {
  return servedEngine(served('wiki', options), {
    ask: (query, { topK }) => ({ path: '/retrieve', body: { query, top_k: topK } }),
    answer: z.array(z.object({ text: z.string() })),
    read: (found) => found.map(({ text }) => ({ text })),
  })
}

/** Options of `elasticsearchEngine`. */
export interface ElasticsearchOptions extends RetrieverOptions {
  /** Name of the index. */
  index: string
  /** Field of the text. Default `text`. */
  textField?: string
  /** Field of the title, where documents have one. Default `title`. */
  titleField?: string
  /**
   * An API key of Elasticsearch, as it is given out (Base64). Default: `ELASTICSEARCH_API_KEY` of the environment; none where
   * that is not set. It is never shown or written.
   */
  apiKey?: string
}

const field = z.string().min(1)
const elasticsearchSchema = z.object({
  index: field,
  textField: field.default('text'),
  titleField: field.default('title'),
})
const elasticsearchAnswer = z.object({
  timed_out: z.literal(false).nullish(),
  hits: z.object({
    hits: z.array(
      z.object({
        _id: z.string().nullish(),
        _score: z.number().nullish(),
        _source: z.record(z.string(), z.unknown()),
      }),
    ),
  }),
})

/**
 * An index of Elasticsearch or OpenSearch, asked for the words of a query in title and text.
 * @throws as `searchR1Engine` does
 * @example
 * const engine = zs.elasticsearchEngine({ baseUrl: 'http://127.0.0.1:9200', index: 'wiki' })
 * await zs.display(await engine.search('capital of Peru', { question, topK: 5 }))
 */
export function elasticsearchEngine(options: ElasticsearchOptions): SearchEngine {
  const { index, textField, titleField, apiKey = elasticsearchKey(), ...rest } = options
  checkSecrets('elasticsearch', options)
  const fields = parseOptions('elasticsearch', elasticsearchSchema, { index, textField, titleField })
  const wanted = [fields.textField, fields.titleField]
  return servedEngine(
    { ...served('elasticsearch', rest), secret: apiKey },
    {
      ask: (query, { topK: size }) => ({
        path: `/${encodeURIComponent(fields.index)}/_search`,
        ...(apiKey !== undefined && { headers: { authorization: `ApiKey ${apiKey}` } }),
        body: { size, query: { multi_match: { query, fields: wanted } }, _source: wanted },
      }),
      answer: elasticsearchAnswer,
      read: ({ hits }) =>
        hits.hits.map(({ _id, _score, _source }) => {
          const [text, title] = wanted.map((name) => _source[name])
          return {
            ...(_id && { id: _id }),
            ...(typeof title === 'string' && { title }),
            text: typeof text === 'string' ? text : '',
            ...(typeof _score === 'number' && { score: _score }),
          }
        }),
    },
  )
}
