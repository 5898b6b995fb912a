// Engines behind servers, against stand-ins that answer in the shapes of the real ones, errors included.
import { inspect } from 'node:util'
import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { googleEngine, serpApiEngine } from '../../src/search/google.js'
import { elasticsearchEngine, searchR1Engine, wikiEngine } from '../../src/search/retrieve-engines.js'
import type { Answer, StandIn } from '../http/stand-in.js'
import { sendJson, startServer } from '../http/stand-in.js'

const question = { id: 'd-0', dataset: 'd', question: 'Capital of Peru?', goldAnswers: ['Lima'] }
const KEY = 'sk-planted'

let server: StandIn
beforeAll(async () => {
  server = await startServer(() => undefined)
})
beforeEach(() => {
  server.received.length = 0
})
afterEach(() => vi.unstubAllEnvs())

const find = (engine: SearchEngine, query = 'capital of Peru', topK = 3) => engine.search(query, { question, topK })

const elastic = (hits: object[], more: object = {}): object => ({
  took: 3,
  timed_out: false,
  _shards: { total: 1, successful: 1, skipped: 0, failed: 0 },
  hits: { total: { value: hits.length, relation: 'eq' }, max_score: 2.5, hits },
  ...more,
})

interface Case {
  engine: (options?: { retries?: number }) => SearchEngine
  /** What is asked for. */
  request: object
  query?: Record<string, string>
  /** A real answer, and its documents. */
  answer: unknown
  documents: object[]
  /** Where nothing was found. */
  nothing: unknown
  /** What is no answer of it. */
  wrong: unknown[]
}

const cases: Record<string, Case> = {
  'search-r1': {
    engine: (options) => searchR1Engine({ baseUrl: server.url, ...options }),
    request: {
      method: 'POST',
      path: '/retrieve',
      body: { queries: ['capital of Peru'], topk: 3, return_scores: true },
    },
    answer: {
      result: [
        [
          { document: { id: '7', contents: '"Lima"\nLima is the capital of Peru.' }, score: 0.9 },
          { document: { id: '8', contents: 'Peru\nA country.\nIts capital is Lima.' }, score: 0.5 },
          { document: { contents: 'No title at all.' } },
        ],
      ],
    },
    documents: [
      { id: '7', title: 'Lima', text: 'Lima is the capital of Peru.', rank: 1, score: 0.9 },
      { id: '8', title: 'Peru', text: 'A country.\nIts capital is Lima.', rank: 2, score: 0.5 },
      { text: 'No title at all.', rank: 3 },
    ],
    nothing: { result: [[]] },
    wrong: [{ result: [] }, { result: [[], []] }, { result: 'x' }, [], { detail: 'x' }],
  },
  'search-r1 without scores': {
    engine: (options) => searchR1Engine({ baseUrl: server.url, ...options }),
    request: { path: '/retrieve' },
    answer: { result: [[{ id: '7', contents: '"Lima"\nThe capital.' }]] },
    documents: [{ id: '7', title: 'Lima', text: 'The capital.', rank: 1 }],
    nothing: { result: [[]] },
    wrong: [{ result: [[{ id: '7' }]] }],
  },
  wiki: {
    engine: (options) => wikiEngine({ baseUrl: server.url, ...options }),
    request: { method: 'POST', path: '/retrieve', body: { query: 'capital of Peru', top_k: 3 } },
    answer: [{ text: 'Lima.' }, { text: '  ' }, { text: 'Cusco.' }],
    documents: [
      { text: 'Lima.', rank: 1 },
      { text: 'Cusco.', rank: 2 },
    ],
    nothing: [],
    wrong: [{ result: [] }, ['Lima.'], null],
  },
  elasticsearch: {
    engine: (options) =>
      elasticsearchEngine({ baseUrl: server.url, index: 'my wiki', textField: 'body', apiKey: KEY, ...options }),
    request: {
      method: 'POST',
      path: '/my%20wiki/_search',
      headers: { authorization: `ApiKey ${KEY}` },
      body: {
        size: 3,
        query: { multi_match: { query: 'capital of Peru', fields: ['body', 'title'] } },
        _source: ['body', 'title'],
      },
    },
    answer: elastic([
      { _index: 'w', _id: '1', _score: 2.5, _source: { title: 'Lima', body: 'The capital.' } },
      { _index: 'w', _id: '2', _score: 1.5, _source: { body: 'Cusco.' } },
      { _index: 'w', _id: '3', _score: 1, _source: { title: 'no text' } },
    ]),
    documents: [
      { id: '1', title: 'Lima', text: 'The capital.', rank: 1, score: 2.5 },
      { id: '2', text: 'Cusco.', rank: 2, score: 1.5 },
    ],
    nothing: elastic([]),
    wrong: [elastic([], { timed_out: true }), { hits: [] }],
  },
  serpapi: {
    engine: (options) => serpApiEngine({ baseUrl: server.url, apiKey: KEY, language: 'en', ...options }),
    request: { method: 'GET', path: '/search.json' },
    query: { engine: 'google', q: 'capital of Peru', num: '3', hl: 'en', api_key: KEY },
    answer: {
      search_metadata: { id: '1', status: 'Success' },
      organic_results: [
        { position: 1, title: 'Lima', link: 'https://x/', snippet: 'The capital.' },
        { position: 2, title: 'No snippet', link: 'https://y/' },
        { position: 3, title: 'Cusco', snippet: 'A city.' },
        { position: 4, title: 'One', snippet: 'more' },
        { position: 5, title: 'Too', snippet: 'many' },
      ],
    },
    documents: [
      { title: 'Lima', text: 'The capital.', rank: 1, metadata: { url: 'https://x/' } },
      { title: 'Cusco', text: 'A city.', rank: 2 },
      { title: 'One', text: 'more', rank: 3 },
    ],
    nothing: { search_metadata: { status: 'Success' }, error: "Google hasn't returned any results for this query." },
    wrong: [{ search_metadata: { status: 'Error' }, error: 'Proxy timeout' }, []],
  },
  google: {
    engine: (options) => googleEngine({ baseUrl: server.url, apiKey: KEY, engineId: 'cx1', country: 'pe', ...options }),
    request: { method: 'GET', path: '/customsearch/v1', headers: { 'x-goog-api-key': KEY } },
    query: { q: 'capital of Peru', cx: 'cx1', num: '3', gl: 'pe' },
    answer: {
      kind: 'customsearch#search',
      items: [{ kind: 'customsearch#result', title: 'Lima', link: 'https://x/', snippet: 'The capital.' }],
    },
    documents: [{ title: 'Lima', text: 'The capital.', rank: 1, metadata: { url: 'https://x/' } }],
    nothing: { kind: 'customsearch#search', searchInformation: { totalResults: '0' } },
    wrong: [{ items: 'x' }, []],
  },
}

const html: Answer = (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hi')

describe.each(Object.entries(cases))('%s', (_, { engine, request, query, answer, documents, nothing, wrong }) => {
  test('asks as its server expects, and reads what it answers', async () => {
    server.answer = () => answer
    expect(await find(engine())).toEqual(documents)
    expect(server.received[0]).toMatchObject(request)
    if (query) expect(Object.fromEntries(server.received[0]!.query)).toEqual(query)
  })

  test('finds nothing where nothing is found; a blank query is not asked', async () => {
    server.answer = () => nothing
    expect(await find(engine())).toEqual([])
    server.received.length = 0
    expect(await find(engine(), ' \n')).toEqual([])
    expect(server.received).toHaveLength(0)
  })

  test('an answer of another form fails the search, and is shown without the key', async () => {
    for (const each of wrong) {
      server.answer = (_, response) => sendJson(response, 200, each)
      await expect(find(engine({ retries: 0 }))).rejects.toThrow(
        'answered with something that is no list of documents: ',
      )
    }
    server.answer = html
    await expect(find(engine({ retries: 0 }))).rejects.toThrow('answered with a page of HTML: <html>hi')
    server.answer = ({ headers, query }, response) => sendJson(response, 400, { headers, query: query.toString() })
    const error: unknown = await find(engine()).catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(Error)
    expect(inspect([error, engine()], { depth: Infinity, showHidden: true })).not.toContain('planted')
  })

  test('is asked again after a fault of the server', async () => {
    let requests = 0
    server.answer = (_, response) => (++requests === 1 ? sendJson(response, 503, {}) : answer)
    expect(await find(engine({ retries: 1 }))).toEqual(documents)
  })

  test('stops when it is told to', async () => {
    server.answer = () => undefined
    const controller = new AbortController()
    const searching = engine().search('x', { question, topK: 3, signal: controller.signal })
    await vi.waitFor(() => expect(server.inFlight).toBeGreaterThan(0))
    controller.abort(new Error('stopped by hand'))
    await expect(searching).rejects.toThrow('stopped by hand')
    await vi.waitFor(() => expect(server.inFlight).toBe(0))
  })
})

test('errors of the services are told as they say them', async () => {
  const saying = async (name: string, status: number, said: unknown) => {
    server.answer = (_, response) => sendJson(response, status, said)
    server.received.length = 0
    const error: unknown = await find(cases[name]!.engine()).catch((reason: unknown) => reason)
    expect(server.received).toHaveLength(1)
    return (error as Error).message
  }
  const missing = { error: { type: 'index_not_found_exception', reason: 'no such index [my wiki]' }, status: 404 }
  expect(await saying('elasticsearch', 404, missing)).toContain('no such index [my wiki]')
  expect(await saying('serpapi', 401, { error: 'Invalid API key.' })).toContain('401 Unauthorized: Invalid API key.')
  expect(await saying('serpapi', 429, { error: 'Your account has run out of searches.' })).toContain(
    'has run out of searches.; waiting does not help',
  )
  const message = "Quota exceeded for quota metric 'Queries' and limit 'Queries per day'"
  expect(await saying('google', 429, { error: { code: 429, message } })).toContain(`${message}; waiting does not help`)
})

test('keys come from the environment where none is given', async () => {
  vi.stubEnv('SERPAPI_API_KEY', KEY)
  vi.stubEnv('GOOGLE_API_KEY', '')
  server.answer = () => ({})
  await find(serpApiEngine({ baseUrl: server.url }))
  expect(server.received[0]!.query.get('api_key')).toBe(KEY)
  expect(() => googleEngine({ engineId: 'x' })).toThrow(
    "google: there must be a key; give apiKey, set GOOGLE_API_KEY, or await zs.askKey('GOOGLE_API_KEY')",
  )
})

test.each([
  [() => searchR1Engine({}), 'search-r1: baseUrl or baseUrls must be given, one of them'],
  [() => wikiEngine({ baseUrl: 'x' }), 'wiki: baseUrl must be an address'],
  [() => wikiEngine({ baseUrl: `http://a:${KEY}@b` }), 'wiki: baseUrl must hold no name, password or query'],
  [
    () => elasticsearchEngine({ baseUrl: 'http://a', index: '' }),
    'elasticsearch: index must have a length of at least 1',
  ],
  [
    () => serpApiEngine({ apiKey: KEY, county: 'us' } as never),
    'serpapi: there is no option county; did you mean country?',
  ],
])('%s is refused', (make, message) => {
  expect(make).toThrow(message)
})
