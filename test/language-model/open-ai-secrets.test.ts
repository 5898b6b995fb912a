// A planted key is searched for in everything that is shown or written.
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import { openAi } from '../../src/language-model/open-ai.js'
import type { OpenAiOptions } from '../../src/language-model/open-ai.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { train } from '../../src/train/train.js'
import type { Answer, StandIn } from '../http/stand-in.js'
import { sendJson, startServer } from '../http/stand-in.js'
import { aQuestion, tinyPolicy } from '../train/tiny-policy.js'
import { completionOf } from './open-ai-answers.js'

const KEY = 'sk-planted-7f3a9c51d2'
/** Any part of it that would help a thief. */
const PART = 'planted'

let server: StandIn
const folder = mkdtempSync(join(tmpdir(), 'secrets-'))
const shown: unknown[] = []
beforeAll(async () => {
  server = await startServer(() => undefined)
})
beforeEach(() => {
  shown.length = 0
  server.received.length = 0
  for (const method of ['log', 'info', 'warn', 'error', 'debug', 'trace'] as const) {
    vi.spyOn(console, method).mockImplementation((...given: unknown[]) => void shown.push(...given))
  }
  for (const stream of [process.stdout, process.stderr]) {
    vi.spyOn(stream, 'write').mockImplementation((given) => {
      shown.push(given)
      return true
    })
  }
})
afterEach(() => {
  vi.restoreAllMocks()
  vi.unstubAllEnvs()
})
afterAll(() => rmSync(folder, { recursive: true }))

/** Everything that can be seen of a value. */
const seen = (value: unknown): string =>
  [
    inspect(value, { depth: Infinity, showHidden: true, getters: true, maxArrayLength: null, maxStringLength: null }),
    JSON.stringify(value) ?? '',
    value instanceof Error ? `${value.stack} ${inspect(value.cause, { depth: Infinity, showHidden: true })}` : '',
  ].join('\n')

const modelOf = (options: Partial<OpenAiOptions> = {}) =>
  openAi({ baseUrl: `${server.url}/v1`, model: 'tiny', apiKey: KEY, retries: 0, ...options })

/** Servers that repeat the key wherever they can. */
const echoes: Record<string, Answer> = {
  'a status 401': ({ headers }, response) =>
    sendJson(response, 401, { error: { message: `bad ${headers.authorization}` } }),
  'a status 400': ({ headers }, response) => sendJson(response, 400, { detail: headers }),
  'a status 500': ({ headers }, response) => void response.writeHead(500).end(JSON.stringify(headers)),
  'a long page, cut in the middle of it': ({ headers }, response) =>
    void response.writeHead(500).end(`${'x'.repeat(280)} ${headers.authorization}`),
  'a piece that is no JSON': ({ headers }, response) =>
    void response.writeHead(200).end(`data: ${headers.authorization}\n\n`),
  'a page': ({ headers }, response) =>
    void response.writeHead(200, { 'content-type': 'text/html' }).end(`<html>${headers.authorization}`),
  'broken JSON': ({ headers }, response) =>
    void response.writeHead(200, { 'content-type': 'application/json' }).end(`{"${headers.authorization}`),
  'other JSON': ({ headers }) => ({ headers }),
  'a redirect': ({ headers }, response) =>
    void response.writeHead(302, { location: `http://elsewhere/?key=${headers.authorization}` }).end(),
}

test.each(Object.entries(echoes))('no error shows it: %s', async (_, answer) => {
  server.answer = answer
  for (const options of [{}, { onText: () => undefined }]) {
    const error = await modelOf()
      .complete('x', options)
      .catch((reason: unknown) => reason)
    expect(error).toBeInstanceOf(Error)
    expect(seen(error)).not.toContain(PART)
  }
  expect(server.received[0]!.headers.authorization).toBe(`Bearer ${KEY}`)
  expect(seen(shown)).not.toContain(PART)
})

test('neither the model nor what shows it in a cell holds it', async () => {
  server.answer = (received) => completionOf(received, 'Lima')
  const model = modelOf()
  const completion = await model.complete('x')
  for (const value of [
    model,
    completion,
    createSimulator(model),
    await toMimeBundle(model),
    await toMimeBundle(completion),
  ]) {
    expect(seen(value)).not.toContain(PART)
  }
  expect(seen(shown)).not.toContain(PART)
})

describe('options that hold it in another place are refused without showing it', () => {
  test.each([
    [{ apiKey: [KEY] }],
    [{ apiKey: `${KEY}\n` }],
    [{ apiKey: `Bearer ${KEY}` }],
    [{ baseUrl: `http://user:${KEY}@127.0.0.1/v1` }],
    [{ baseUrl: `http://127.0.0.1/v1?key=${KEY}` }],
    [{ baseUrl: undefined, baseUrls: [`//${KEY}@host`] }],
  ])('%#', (options) => {
    let error: unknown
    try {
      modelOf(options as unknown as OpenAiOptions)
    } catch (thrown) {
      error = thrown
    }
    expect(error).toBeInstanceOf(Error)
    expect(seen(error)).not.toContain(PART)
  })
})

test('the environment’s is taken where none is given, and is sent to no address that a server names', async () => {
  vi.stubEnv('OPENAI_API_KEY', KEY)
  vi.stubEnv('OPENAI_ORG_ID', 'org')
  vi.stubEnv('OPENAI_BASE_URL', 'http://127.0.0.1:9/v1')
  vi.stubEnv('OPENAI_LOG', 'debug')
  const elsewhere = await startServer(() => ({}))
  server.answer = (received) => completionOf(received, 'Lima')
  const model = openAi({ baseUrl: `${server.url}/v1`, model: 'tiny', retries: 0 })
  await model.complete('x')
  expect(server.received[0]!.headers).toMatchObject({ authorization: `Bearer ${KEY}` })
  expect(server.received[0]!.headers).not.toHaveProperty('openai-organization')
  server.answer = (_, response) => void response.writeHead(307, { location: `${elsewhere.url}/v1` }).end()
  await expect(model.complete('x')).rejects.toThrow('it redirects to')
  expect(elsewhere.received).toHaveLength(0)
  expect(seen(shown)).not.toContain(PART)
})

test('without any, none is sent', async () => {
  vi.stubEnv('OPENAI_API_KEY', '')
  server.answer = (received) => completionOf(received, 'Lima')
  await openAi({ baseUrl: server.url, model: 'tiny' }).complete('x')
  expect(server.received[0]!.headers).not.toHaveProperty('authorization')
})

test('a training whose simulator is behind a server writes it nowhere', async () => {
  let searches = 0
  server.answer = (received, response) =>
    searches++ % 2 ? completionOf(received, 'Doc 1: Lima.') : echoes['a status 401']!(received, response)
  let messages = 0
  const policy = await tinyPolicy((turn) =>
    turn === 0 ? '<search> it</search>' : messages++ % 2 ? '<answer> Rome</answer>' : '<answer> Lima</answer>',
  )
  const model = modelOf()
  const records = await train({
    algorithm: 'grpo',
    policy,
    searchEngine: createSimulator(model),
    questions: [aQuestion(1), aQuestion(2)],
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0 },
    updates: 2,
    questionsPerUpdate: 2,
    groupSize: 4,
    learningRate: 1e-3,
    warmupRatio: 0,
    maxFailedShare: 1,
    saveTo: join(folder, 'run'),
  })
  policy.dispose()
  expect(records[0]!.failures?.[0]?.message).toContain('bad Bearer [key]')
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
  const written = files.filter((path) => statSync(path).isFile())
  expect(written.length).toBeGreaterThan(3)
  for (const path of written) expect(readFileSync(path, 'latin1'), path).not.toContain(PART)
  for (const value of [records, await toMimeBundle(records), shown]) expect(seen(value)).not.toContain(PART)
})
