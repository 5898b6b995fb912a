// A server of ours, asked by clients of ours, by others' shapes, and by those who mean no good.
import { connect } from 'node:net'
import { setTimeout as sleep } from 'node:timers/promises'
import { inspect } from 'node:util'
import { afterEach, describe, expect, test } from 'vitest'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import type { Completion, CompletionOptions, LanguageModel } from '../../src/language-model/language-model.js'
import { openAi } from '../../src/language-model/open-ai.js'
import { hash } from '../../src/random/seeded-random.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { searchR1Engine, wikiEngine } from '../../src/search/retrieve-engines.js'
import type { SearchContext, SearchEngine } from '../../src/search/search-engine.js'
import { serve } from '../../src/serve/serve.js'
import type { ServeOptions, Server } from '../../src/serve/serve.js'
import { drawQuality, noiseThreshold } from '../../src/simulator/curriculum.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import type { Message } from '../../src/tokenizer/tokenizer.js'
import { ask, json } from './clients.js'

const question = { id: 'd-0', dataset: 'd', question: 'Capital of Peru?', goldAnswers: ['Lima'] }
const TOKEN = 'planted-token-0123456789'

const servers: Server[] = []
async function start(options: ServeOptions): Promise<Server> {
  const server = await serve(options)
  servers.push(server)
  return server
}
afterEach(async () => {
  await Promise.all(servers.splice(0).map((server) => server.close(0)))
})

/** An engine that records what it is asked, and gives the query back. */
function recording(): SearchEngine & { asked: SearchContext[] } {
  const asked: SearchContext[] = []
  return {
    name: 'recording',
    asked,
    search: (query, context) => {
      asked.push(context)
      return Promise.resolve([{ title: 'T', text: `about ${query}`, rank: 1 }])
    },
  }
}

/** An engine that answers when it is told to. */
function held(): SearchEngine & { release: () => void; signals: AbortSignal[] } {
  let release!: () => void
  const released = new Promise<void>((resolve) => (release = resolve))
  const signals: AbortSignal[] = []
  return {
    name: 'held',
    signals,
    release,
    async search(query, { signal }) {
      signals.push(signal!)
      await Promise.race([released, new Promise((_, reject) => signal!.addEventListener('abort', reject))])
      return [{ text: query, rank: 1 }]
    },
  }
}

/** A language model that gives back its prompt, letter by letter. */
function echo(name = 'echo'): LanguageModel & { asked: CompletionOptions[] } {
  const asked: CompletionOptions[] = []
  return {
    name,
    asked,
    complete(prompt: string | readonly Message[], options: CompletionOptions = {}): Promise<Completion> {
      asked.push(options)
      const text =
        typeof prompt === 'string' ? prompt : prompt.map(({ role, content }) => `${role}:${content}`).join('|')
      for (const letter of text) options.onText?.(letter)
      return Promise.resolve({ text, finishReason: 'stop', stopString: '.', promptTokens: 3, completionTokens: 5 })
    },
  }
}

describe('retrieval', () => {
  const documents = [
    { id: 'x7', title: 'Lima', text: 'Lima is the capital of Peru.' },
    { text: 'The capital of Chile is Santiago.' },
  ]

  test('is what our own clients read', async () => {
    const bm25 = await createBm25Engine(documents)
    const { url } = await start({ searchEngine: bm25 })
    const expected = await bm25.search('capital of Peru', { question, topK: 2 })
    const found = await searchR1Engine({ baseUrl: url }).search('capital of Peru', { question, topK: 2 })
    expect(found).toEqual(expected)
    const wiki = await wikiEngine({ baseUrl: url }).search('capital of Peru', { question, topK: 2 })
    expect(wiki.map(({ text }) => text)).toEqual(['"Lima"\nLima is the capital of Peru.', documents[1]!.text])
  })

  test('has the shapes of Search-R1’s and ZeroSearch’s servers', async () => {
    const { url } = await start({ searchEngine: await createBm25Engine(documents), topK: 1 })
    const at = `${url}/retrieve`
    const document = { id: 'x7', contents: '"Lima"\nLima is the capital of Peru.' }
    expect(await json(ask(at, { queries: ['Peru', 'nothing'], topk: 3, return_scores: true }))).toEqual({
      result: [[{ document, score: expect.any(Number) as number }], []],
    })
    expect(await json(ask(at, { queries: ['Peru'] }))).toEqual({ result: [[document]] })
    expect(await json(ask(at, { queries: ['capital'], topk: null }))).toMatchObject({ result: { 0: { length: 1 } } })
    expect(await json(ask(at, { queries: [] }))).toEqual({ result: [] })
    expect(await json(ask(at, { query: 'Peru', top_k: 5 }))).toEqual([{ text: document.contents }])
    // SkyRL sends one query, and reads Search-R1's answer.
    expect(await json(ask(at, { query: 'Peru', topk: 3, return_scores: true }))).toEqual({
      result: [[{ document, score: expect.any(Number) as number }]],
    })
  })

  test('of a document without a title leaves the title’s line empty, so that clients read none in its text', async () => {
    const text = 'One line.\nAnother line.'
    const { url } = await start({ searchEngine: await createBm25Engine([{ text }]) })
    expect(await json(ask(`${url}/retrieve`, { queries: ['line'] }))).toEqual({ result: [[{ contents: `\n${text}` }]] })
    const found = await searchR1Engine({ baseUrl: url }).search('line', { question, topK: 1 })
    expect(found).toMatchObject([{ text, rank: 1 }])
    expect(found[0]).not.toHaveProperty('title')
  })

  test('of a query that carries its question is what a rollout in this process would be given', async () => {
    const engine = recording()
    const curriculum = { start: 0.2, end: 0.9 }
    const { url } = await start({ searchEngine: engine, curriculum, updates: 10 })
    const contexts = Array.from({ length: 40 }, (_, i) => ({
      question: 'Capital of Peru?',
      gold_answers: ['Lima'],
      supporting_facts: ['Lima is it.'],
      seed: i,
      search: i % 3,
      step: i % 10,
    }))
    const queries = contexts.map(({ seed }) => `query ${seed}`)
    const { qualities } = (await json(ask(`${url}/retrieve`, { queries, topk: 4, contexts }))) as {
      qualities: string[]
    }
    const expected = contexts.map(({ seed, search, step }) =>
      drawQuality(noiseThreshold(curriculum, step, 10), seed, search),
    )
    expect(qualities).toEqual(expected)
    expect(new Set(expected)).toEqual(new Set(['useful', 'noisy']))
    expect(engine.asked).toHaveLength(40)
    for (const [i, { signal: _, ...context }] of engine.asked.entries()) {
      expect(context).toEqual({
        question: { ...question, id: 'served', dataset: 'served', supportingFacts: ['Lima is it.'] },
        topK: 4,
        seed: hash(contexts[i]!.seed, contexts[i]!.search),
        quality: expected[i],
      })
    }
    const context = { quality: 'noisy', seed: 3 }
    await json(ask(`${url}/retrieve`, { query: 'q', context }))
    expect(engine.asked.at(-1)).toMatchObject({ quality: 'noisy', seed: hash(3, 0), topK: 3 })
    expect(await json(ask(`${url}/retrieve`, { query: 'q', topk: 2, context }))).toMatchObject({ qualities: ['noisy'] })
    expect(engine.asked.at(-1)).toMatchObject({ quality: 'noisy', seed: hash(3, 0), topK: 2 })
  })

  test('of a query that carries nothing repeats, and draws a fixed noise', async () => {
    const engine = recording()
    const { url } = await start({ searchEngine: engine, curriculum: 0.5 })
    const queries = Array.from({ length: 200 }, (_, i) => `query ${i}`)
    const first = (await json(ask(`${url}/retrieve`, { queries }))) as { qualities: string[] }
    expect(await json(ask(`${url}/retrieve`, { queries }))).toEqual(first)
    const noisy = first.qualities.filter((quality) => quality === 'noisy').length
    expect(noisy).toBeGreaterThan(60)
    expect(noisy).toBeLessThan(140)
    expect(engine.asked[0]!.question).toEqual({ id: 'served', dataset: 'served', question: 'query 0', goldAnswers: [] })
  })

  test('tells a simulator no answer where the query carries none', async () => {
    const model = echo()
    const simulator = createSimulator(model, { prompt: undefined as never })
    const prompts: unknown[] = []
    const { url } = await start({
      searchEngine: {
        name: 's',
        search: (query, context) =>
          createSimulator({
            ...model,
            complete: (prompt, options) => (prompts.push(prompt), model.complete(prompt, options)),
          }).search(query, { ...context, onUnread: () => undefined }),
      },
    })
    await json(ask(`${url}/retrieve`, { queries: ['Peru'] }))
    await json(ask(`${url}/retrieve`, { query: 'Peru', context: { question: 'Which?', gold_answers: ['Lima'] } }))
    expect(simulator.name).toBe('simulator echo')
    expect(JSON.stringify(prompts[0])).toContain('Question: Peru')
    expect(JSON.stringify(prompts[0])).not.toMatch(/undefined|Answer:/)
    expect(JSON.stringify(prompts[1])).toContain('Answer: Lima')
  })

  test.each([
    [{ queries: 'x' }, 'retrieve: queries must be an array, got '],
    [{ queries: ['x'], topk: 0 }, 'retrieve: topk must be at least 1, got 0'],
    [{ queries: ['x'], topk: 1e9 }, 'topk must be at most 1000'],
    [{ queries: ['x'], contexts: [] }, 'contexts must be one for each of 1 queries, got 0'],
    [{ queries: ['x'], contexts: [{ quality: 'bad' }] }, 'contexts.0.quality must be one of'],
    [{ query: 7 }, 'retrieve: query must be a text, got 7'],
    [{}, 'retrieve: queries must be an array'],
    [[1], 'retrieve: body must be'],
    ['{"queries": ["x"', 'a request must be JSON, got'],
    [Buffer.from([0xff, 0xfe, 0x7b]), 'a request must be JSON'],
    [{ queries: ['x'] }, 'a query must carry its step'],
  ])('refuses %j and says why', async (sent, message) => {
    const { url } = await start({ searchEngine: recording(), curriculum: { start: 0, end: 1 }, updates: 3 })
    const { status, text } = await ask(`${url}/retrieve`, sent)
    expect(status).toBe(400)
    expect((JSON.parse(text) as { error: { message: string } }).error.message).toContain(message)
  })

  test('that fails is 502 with the cause, and one query’s failure gives up the others', async () => {
    const waiting = held()
    const engine: SearchEngine = {
      name: 'e',
      search: (query, context) =>
        query === 'bad' ? Promise.reject(new Error('no index')) : waiting.search(query, context),
    }
    const { url } = await start({ searchEngine: engine })
    const { status, text } = await ask(`${url}/retrieve`, { queries: ['good', 'bad'] })
    expect([status, text]).toEqual([502, '{"error":{"message":"no index","type":"server_error"}}'])
    expect(waiting.signals.map(({ aborted }) => aborted)).toEqual([true])
  })
})

describe('completions', () => {
  test('are what our own client reads, as a text, as a chat, in pieces', async () => {
    const model = echo()
    const { url } = await start({ models: [model, echo('other')] })
    const client = openAi({ baseUrl: `${url}/v1`, model: 'echo', apiKey: 'unused' })
    const options = { maxTokens: 7, temperature: 0.5, topP: 0.9, topK: 4, stop: ['.', '!'], seed: 11 }
    const expected = { finishReason: 'stop', stopString: '.', promptTokens: 3, completionTokens: 5 }
    expect(await client.complete('Peru', options)).toEqual({ text: 'Peru', ...expected })
    expect(model.asked[0]).toMatchObject(options)
    const messages = [{ role: 'user' as const, content: 'Hi' }]
    expect(await client.complete(messages, options)).toEqual({ text: 'user:Hi', ...expected })
    const pieces: string[] = []
    const streamed = await client.complete(messages, { ...options, onText: (piece) => pieces.push(piece) })
    expect([streamed.text, pieces.join('')]).toEqual(['user:Hi', 'user:Hi'])
    expect(streamed).toMatchObject({ promptTokens: 3, completionTokens: 5 })
    const { data } = (await json(ask(`${url}/v1/models`))) as { data: { id: string }[] }
    expect(data.map(({ id }) => id)).toEqual(['echo', 'other'])
  })

  test('without a seed are another draw each time', async () => {
    const model = echo()
    const { url } = await start({ models: [model] })
    const messages = [
      {
        role: 'user',
        content: [
          { type: 'text', text: 'a' },
          { type: 'text', text: 'b' },
        ],
      },
    ]
    for (let i = 0; i < 3; i++)
      await json(ask(`${url}/v1/chat/completions`, { model: 'echo', messages, n: 1, logprobs: false }))
    expect(new Set(model.asked.map(({ seed }) => seed)).size).toBe(3)
  })

  test.each([
    [{ model: 'none' }, 404, 'there is no model \\"none\\"; the models are echo'],
    [{ n: 2 }, 400, 'n must be left out or 1, got 2; this server cannot do more'],
    [{ logprobs: true }, 400, 'logprobs must be left out'],
    [{ tools: [{}] }, 400, 'tools must be left out'],
    [{ messages: [] }, 400, 'messages must have a length of at least 1'],
    [{ messages: [{ role: 'tool', content: 'x' }] }, 400, 'messages.0.role must be one of'],
    [{ messages: [{ role: 'user', content: [{ type: 'image_url' }] }] }, 400, 'must be a text, or parts of type text'],
    [{ temperature: -1 }, 400, 'complete: temperature must be 0 (greedy) or at least 0.001, got -1'],
    [{ max_tokens: 0 }, 400, 'complete: maxTokens must be a positive integer'],
  ])('refuse what they cannot do: %j', async (fields, status, message) => {
    const { url } = await start({ models: [echo()] })
    const answered = await ask(`${url}/v1/chat/completions`, {
      model: 'echo',
      messages: [{ role: 'user', content: 'x' }],
      ...fields,
    })
    expect(answered.status).toBe(status)
    expect(answered.text).toContain(message)
  })
})

describe('who is let in', () => {
  test('another host demands a token, which nothing shows', async () => {
    const searchEngine = recording()
    await expect(serve({ searchEngine, host: '0.0.0.0' })).rejects.toThrow('demands a token, got 0.0.0.0 without one')
    for (const token of ['short', `${TOKEN} blank`, 7 as never]) {
      const refused = await serve({ searchEngine, token }).catch((error: unknown) => error)
      expect(String(refused)).toContain('token must be at least 16 characters')
      expect(String(refused)).not.toContain(String(token))
    }
    const server = await start({ searchEngine, host: '0.0.0.0', token: TOKEN })
    const url = server.url.replace('0.0.0.0', '127.0.0.1')
    const asked = { queries: ['x'] }
    for (const authorization of [undefined, TOKEN, `Bearer ${TOKEN}x`, 'Bearer ', `bearer ${TOKEN}`]) {
      const { status, text } = await ask(`${url}/retrieve`, asked, { headers: authorization ? { authorization } : {} })
      expect(status).toBe(401)
      expect(text).not.toContain(TOKEN)
    }
    expect((await ask(`${url}/metrics`)).status).toBe(401)
    expect((await ask(`${url}/health`)).status).toBe(200)
    expect((await ask(`${url}/retrieve`, asked, { headers: { authorization: `Bearer ${TOKEN}` } })).status).toBe(200)
    expect(JSON.stringify(await toMimeBundle(server)) + inspect(server, { depth: 9 })).not.toContain(TOKEN)
  })

  test('pages in a browser of this machine are not served', async () => {
    const { url } = await start({ searchEngine: recording() })
    const asked = { queries: ['x'] }
    for (const headers of [{ origin: 'http://evil.example' }, { origin: 'null' }, { host: 'evil.example' }]) {
      expect((await ask(`${url}/retrieve`, asked, { headers })).status).toBe(403)
    }
    expect((await ask(`${url}/retrieve`, asked, { headers: { host: 'localhost:9' } })).status).toBe(200)
  })

  test('what there is not is 404, in words', async () => {
    const { url } = await start({ searchEngine: recording() })
    expect((await ask(`${url}/retrieve`)).text).toContain('there is no GET /retrieve; it takes POST')
    expect((await ask(`${url}/v1/chat/completions`, {})).status).toBe(404)
  })

  test.each([
    [{}, 'serve: searchEngine or models must be given'],
    [{ searchEngine: {} }, 'serve: searchEngine must be a search engine'],
    [{ models: [echo(), echo()] }, 'serve: models must have different names'],
    [
      { searchEngine: recording(), curriculum: { start: 0, end: 1 } },
      'serve: updates must be given with such a curriculum',
    ],
    [{ searchEngine: recording(), port: -1 }, 'serve: port must be at least 0'],
    [{ searchEngine: recording(), prot: 1 }, 'did you mean port?'],
  ])('options that do not fit are refused: %#', async (options, message) => {
    await expect(serve(options as never)).rejects.toThrow(message)
  })

  test('a port that is taken is named', async () => {
    const { url } = await start({ searchEngine: recording() })
    const port = Number(new URL(url).port)
    await expect(serve({ searchEngine: recording(), port })).rejects.toThrow(`serve: port ${port} is in use`)
  })
})

describe('limits', () => {
  test('a body that is too large is refused, told or untold', async () => {
    const { url } = await start({ searchEngine: recording(), maxBytes: 1000 })
    const sent = JSON.stringify({ queries: ['x'.repeat(200_000)] })
    for (const headers of [{ 'content-length': sent.length }, { 'transfer-encoding': 'chunked' }]) {
      const { status, text } = await ask(`${url}/retrieve`, sent, { headers })
      expect(status).toBe(413)
      expect(text).toContain('at most 1000 bytes')
    }
    expect((await ask(`${url}/retrieve`, '{}', { headers: { 'content-encoding': 'gzip' } })).status).toBe(415)
  })

  test('what is too much at once is told to come back, and the rest is answered', async () => {
    const engine = held()
    const server = await start({ searchEngine: engine, concurrency: 2, maxWaiting: 5 })
    const asked = Array.from({ length: 12 }, (_, i) => ask(`${server.url}/retrieve`, { queries: [`q${i}`] }))
    await expect.poll(() => server.counts.refused).toBe(7)
    expect(server.counts).toMatchObject({ inFlight: 5, waiting: 3 })
    expect(engine.signals).toHaveLength(2)
    engine.release()
    const answered = await Promise.all(asked)
    for (const [i, { status, headers, text }] of answered.entries()) {
      if (status === 200) expect(text).toContain(`q${i}`)
      else expect([status, headers['retry-after']]).toEqual([503, '1'])
    }
    expect(answered.filter(({ status }) => status === 200)).toHaveLength(5)
    const much = await ask(`${server.url}/retrieve`, { queries: Array(6).fill('x') })
    expect([much.status, much.text]).toEqual([413, expect.stringContaining('at most 5 queries, got 6')])
    expect((await ask(`${server.url}/retrieve`, { queries: Array(5).fill('x') })).status).toBe(200)
  })

  test('an answer that takes too long is 504, and its work is given up', async () => {
    const engine = held()
    const { url } = await start({ searchEngine: engine, timeoutMs: 100 })
    const { status, text } = await ask(`${url}/retrieve`, { queries: ['x'] })
    expect([status, text]).toEqual([504, expect.stringContaining('no answer in 0.1 s')])
    expect(engine.signals[0]!.aborted).toBe(true)
  })

  test('a client that sends its body too slowly is given up', async () => {
    const { url, counts } = await start({ searchEngine: recording(), timeoutMs: 200 })
    const socket = connect(Number(new URL(url).port), '127.0.0.1')
    socket.write('POST /retrieve HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{')
    let said = ''
    socket.on('data', (data: Buffer) => (said += data.toString()))
    await expect.poll(() => said).toMatch(/^HTTP\/1.1 (504|408)/)
    socket.destroy()
    expect(counts).toBeDefined()
  })

  test('work of an engine that does not stop keeps its place', async () => {
    let release!: () => void
    const released = new Promise<void>((resolve) => (release = resolve))
    let begun = 0
    const engine: SearchEngine = { name: 'deaf', search: () => (begun++, released.then(() => [])) }
    const server = await start({ searchEngine: engine, concurrency: 1, maxWaiting: 2, timeoutMs: 100 })
    for (let i = 0; i < 2; i++) expect((await ask(`${server.url}/retrieve`, { queries: ['x'] })).status).toBe(504)
    expect(begun).toBe(1)
    release()
    await expect.poll(async () => (await ask(`${server.url}/retrieve`, { queries: ['x'] })).status).toBe(200)
  })
})

test('a client that goes away has its work given up, whether it runs or waits', async () => {
  const engine = held()
  const server = await start({ searchEngine: engine, concurrency: 1 })
  const controller = new AbortController()
  const gone = Array.from({ length: 3 }, () =>
    ask(`${server.url}/retrieve`, { queries: ['x'] }, { signal: controller.signal }).catch(() => 'gone'),
  )
  await expect.poll(() => server.counts.waiting).toBe(2)
  controller.abort()
  expect(await Promise.all(gone)).toEqual(['gone', 'gone', 'gone'])
  await expect.poll(() => server.counts).toMatchObject({ abandoned: 3, waiting: 0, inFlight: 0 })
  expect(engine.signals.map(({ aborted }) => aborted)).toEqual([true])
  engine.release()
  expect((await ask(`${server.url}/retrieve`, { queries: ['y'] })).status).toBe(200)
})

describe('the end', () => {
  test('comes when requests in flight have been answered; new ones are refused', async () => {
    const engine = held()
    const server = await start({ searchEngine: engine })
    const asked = ask(`${server.url}/retrieve`, { queries: ['x'] })
    // A connection that is open already, and asks when the server is ending.
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    let said = ''
    socket.on('data', (data: Buffer) => (said += data.toString()))
    socket.on('error', () => undefined)
    const send = (path: string): boolean => socket.write(`GET ${path} HTTP/1.1\r\nhost: localhost\r\n\r\n`)
    await expect.poll(() => engine.signals.length).toBe(1)
    let ended = false
    const closing = server.close().then(() => (ended = true))
    expect(server.close()).toBeInstanceOf(Promise)
    send('/metrics')
    await sleep(100)
    expect(ended).toBe(false)
    expect(said).toMatch(/^(HTTP\/1.1 503|$)/)
    await expect(ask(`${server.url}/health`)).rejects.toThrow(/ECONNREFUSED|ECONNRESET/)
    engine.release()
    expect((await asked).status).toBe(200)
    await closing
    socket.destroy()
  })

  test('comes in any case when the time is up', async () => {
    const engine = held()
    const server = await start({ searchEngine: engine })
    const asked = ask(`${server.url}/retrieve`, { queries: ['x'] })
    await expect.poll(() => engine.signals.length).toBe(1)
    await server.close(50)
    expect((await asked).status).toBe(503)
    expect(engine.signals[0]!.aborted).toBe(true)
  })
})

test('a server shows itself, tells its health, and counts for Prometheus', async () => {
  const server = await start({ searchEngine: recording(), models: [echo()] })
  await ask(`${server.url}/retrieve`, { queries: ['a', 'b'] })
  await ask(`${server.url}/retrieve`, '{')
  await ask(`${server.url}/v1/completions`, { model: 'echo', prompt: 'x' })
  expect(await json(ask(`${server.url}/health`))).toEqual({ status: 'ok' })
  const { text, headers } = await ask(`${server.url}/metrics`)
  expect(headers['content-type']).toContain('text/plain')
  for (const line of [
    'zerosearch_requests_total{endpoint="POST /retrieve",status="200"} 1',
    'zerosearch_requests_total{endpoint="POST /retrieve",status="400"} 1',
    'zerosearch_searches_total 2',
    'zerosearch_completion_tokens_total 5',
    'zerosearch_requests_in_flight 1',
    'zerosearch_request_seconds_count{endpoint="POST /retrieve"} 2',
  ]) {
    expect(text.split('\n')).toContain(line)
  }
  expect(text).toMatch(/^(#.*|[a-z_]+(\{[^}]*\})? [\d.e-]+)(\n(#.*|[a-z_]+(\{[^}]*\})? [\d.e-]+))*\n$/)
  const shown = String((await toMimeBundle(server))['text/plain'])
  for (const word of [server.url, 'POST /retrieve', 'GET /v1/models', 'answered']) expect(shown).toContain(word)
})

test('our own client sends what a served simulator has to know where it is told to, and nothing otherwise', async () => {
  const engine = recording()
  const { url } = await start({ searchEngine: engine })
  const asked = { ...question, supportingFacts: ['The capital of Peru is Lima.'] }
  const context: SearchContext = { question: asked, topK: 2, quality: 'noisy', seed: 77 }
  const [told, plain] = [true, false].map((contexts) => searchR1Engine({ baseUrl: url, contexts }))
  expect(await told!.search('q', context)).toEqual([{ title: 'T', text: 'about q', rank: 1 }])
  await plain!.search('q', context)
  const { question: text, goldAnswers, supportingFacts } = asked
  expect(engine.asked[0]).toMatchObject({
    question: { question: text, goldAnswers, supportingFacts },
    quality: 'noisy',
  })
  expect(engine.asked[0]!.seed).toBe(hash(77, 0))
  expect(engine.asked[1]).toMatchObject({ question: { question: 'q', goldAnswers: [] } })
  expect(engine.asked[1]).not.toHaveProperty('quality')
  expect(() => searchR1Engine({ baseUrl: url, contexts: 1 as never })).toThrow(
    'search-r1: contexts must be true or false',
  )
})
