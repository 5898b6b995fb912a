// What servers do wrong, each fault injected into a server on 127.0.0.1.
import { createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { afterAll, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openAi } from '../../src/language-model/open-ai.js'
import type { OpenAiOptions } from '../../src/language-model/open-ai.js'
import type { Answer, StandIn } from '../http/stand-in.js'
import { sendJson, startServer } from '../http/stand-in.js'
import { completionOf, promptIn } from './open-ai-answers.js'

let server: StandIn
let other: StandIn
const right: Answer = (received) => completionOf(received, `to ${promptIn(received)}`)
beforeAll(async () => {
  server = await startServer(right)
  other = await startServer(right)
})
const warn = vi.spyOn(console, 'warn')
beforeEach(() => {
  warn.mockReset().mockReturnValue()
  for (const each of [server, other]) {
    each.answer = right
    each.received.length = 0
    each.mostInFlight = 0
  }
})
afterAll(() => warn.mockRestore())

const modelOf = (options: Partial<OpenAiOptions> = {}) =>
  openAi({ ...(options.baseUrls ? {} : { baseUrl: `${server.url}/v1` }), model: 'tiny', retries: 1, ...options })
const both = () => ({ baseUrls: [`${server.url}/v1`, `${other.url}/v1`] })
const textOf = async (model: ReturnType<typeof modelOf>, prompt = 'x', options = {}) =>
  (await model.complete(prompt, options)).text

const passing: [string, Answer, string][] = [
  [
    'a status 500',
    (_, response) => sendJson(response, 500, { error: { message: 'out of memory' } }),
    'answered 500 Internal Server Error: out of memory',
  ],
  [
    'a status 502 with HTML',
    (_, response) => void response.writeHead(502).end('<html>bad gateway'),
    'answered 502 Bad Gateway: <html>bad gateway',
  ],
  [
    'a page with status 200',
    (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>\n welcome'),
    'answered with a page of HTML: <html> welcome',
  ],
  [
    'a text that is no JSON',
    (_, response) => void response.writeHead(200).end('hello'),
    'answered with something that is no JSON: hello',
  ],
  [
    'broken JSON',
    (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).end('{"choices": ['),
    'answered with something that is no JSON: {"choices": [',
  ],
  ['JSON of another kind', () => ({ result: [] }), 'answered with something that is no completion: {"result":[]}'],
  [
    'an error with status 200',
    () => ({ error: { message: 'no model' }, choices: null }),
    'no completion: {"error":{"message":"no model"}',
  ],
  [
    'no choice',
    (received) => completionOf(received, '', { choices: [] }),
    'ended its answer before the text was finished',
  ],
  ['a broken connection', (_, response) => void response.destroy(), 'broke the connection off (ECONNRESET)'],
  [
    'a body that breaks off',
    (_, response) =>
      void response
        .writeHead(200, { 'content-type': 'application/json', 'content-length': 900 })
        .write('{"id"', () => response.destroy()),
    'broke the connection off (ECONNRESET)',
  ],
  ['no answer at all', () => undefined, 'gave no whole answer in 0.3 s (timeoutMs)'],
  [
    'an answer without an end',
    (_, response) => void response.writeHead(200, { 'content-type': 'application/json' }).write('{"id"'),
    'gave no whole answer in 0.3 s (timeoutMs)',
  ],
  [
    'the body of another request',
    (received) => completionOf(received, 'x', { id: 'chatcmpl-zs-00000000-0000-4000-8000-000000000000' }),
    'answered with the body of another request',
  ],
]

describe.each(passing)('%s', (_, fault, cause) => {
  test('is asked for again', async () => {
    let requests = 0
    server.answer = (received, response) => (++requests === 1 ? fault(received, response) : right(received, response))
    const model = modelOf({ timeoutMs: 300 })
    expect(await textOf(model)).toBe('to x')
    expect(model.usage).toEqual({ completions: 1, failures: 1, promptTokens: 11, completionTokens: 7 })
  })

  test('ends with an error that names address, cause and what was tried', async () => {
    server.answer = fault
    const error = await textOf(modelOf({ timeoutMs: 300 })).catch((reason: unknown) => reason as Error)
    expect((error as Error).message).toMatch(
      /^openAi \(tiny\): given up after 2 attempts in \d+ s: http:\/\/127\.0\.0\.1:\d+\/v1 /,
    )
    expect((error as Error).message).toContain(cause)
    expect(server.received).toHaveLength(2)
  })
})

describe('what is refused for good is asked once', () => {
  test.each([
    [400, { error: { message: 'Unrecognized request argument supplied: top_k' } }, 'leave topK at 0'],
    [422, { detail: "Unexpected fields in the request: {'seed'}" }, 'extraBody: { seed: undefined }'],
    [400, { error: { message: "Unsupported parameter: 'max_tokens'" } }, 'a field of another name goes into extraBody'],
    [400, { message: 'the prompt is too long' }, 'answered 400 Bad Request: the prompt is too long'],
    [
      401,
      { error: 'bad key' },
      'answered 401 Unauthorized: bad key; give the right key as apiKey, or as OPENAI_API_KEY',
    ],
    [404, { detail: 'Not Found' }, 'does it serve tiny, and does its address end as it must, mostly with /v1?'],
    [
      429,
      { error: { message: 'You exceeded your quota', code: 'insufficient_quota', type: 'insufficient_quota' } },
      'waiting does not help',
    ],
    [302, {}, 'it redirects to http://elsewhere/: give that address'],
  ])('%i %j', async (status, said, message) => {
    server.answer = (_, response) => sendJson(response, status, said, { location: 'http://elsewhere/' })
    await expect(textOf(modelOf({ retries: 5 }))).rejects.toThrow(message)
    expect(server.received).toHaveLength(1)
  })

  test('a field that a server refuses can be left out, and one of another name given', async () => {
    const extraBody = { seed: undefined, max_tokens: undefined, max_completion_tokens: 9 }
    await modelOf({ extraBody }).complete('x')
    expect(Object.keys(server.received[0]!.body as object).sort()).toEqual([
      'max_completion_tokens',
      'model',
      'prompt',
      'temperature',
      'top_p',
    ])
  })
})

describe('Retry-After', () => {
  const busy =
    (headers: object): Answer =>
    (_, response) =>
      sendJson(response, 429, { error: 'slow down' }, headers)

  test('is obeyed, by all requests to that server', async () => {
    let requests = 0
    server.answer = (received, response) =>
      ++requests === 1 ? busy({ 'retry-after': '1' })(received, response) : right(received, response)
    const model = modelOf()
    const started = performance.now()
    const first = textOf(model, 'a')
    await vi.waitFor(() => expect(model.usage.failures).toBe(1))
    expect(await Promise.all([first, textOf(model, 'b')])).toEqual(['to a', 'to b'])
    expect(performance.now() - started).toBeGreaterThan(950)
  })

  test('is obeyed up to a cap', async () => {
    let requests = 0
    server.answer = (received, response) =>
      ++requests === 1 ? busy({ 'retry-after': '90' })(received, response) : right(received, response)
    const started = performance.now()
    await textOf(modelOf({ maxRetryAfterMs: 700 }))
    const passed = performance.now() - started
    expect(passed).toBeGreaterThan(650)
    expect(passed).toBeLessThan(10_000)
  })

  test('another server is asked meanwhile', async () => {
    server.answer = busy({ 'retry-after': '30' })
    const model = modelOf(both())
    const texts = await Promise.all(['a', 'b', 'c', 'd'].map((prompt) => textOf(model, prompt)))
    expect(texts).toEqual(['to a', 'to b', 'to c', 'to d'])
  })
})

describe('time limits', () => {
  test('a connection that does not stand in time is given up', async () => {
    const sockets: Socket[] = []
    const silent = createServer((socket) => void sockets.push(socket))
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
    afterAll(() => {
      for (const socket of sockets) socket.destroy()
      silent.close()
    })
    // TLS is never answered.
    const baseUrl = `https://127.0.0.1:${(silent.address() as AddressInfo).port}/v1`
    const model = modelOf({ baseUrl, connectTimeoutMs: 200, retries: 0 })
    await expect(textOf(model)).rejects.toThrow('cannot be reached in 0.2 s (connectTimeoutMs)')
  })

  test('nothing that listens is said so', async () => {
    const gone = await startServer(right)
    await gone.stop()
    await expect(textOf(modelOf({ baseUrl: gone.url, retries: 0 }))).rejects.toThrow(
      `${gone.url} refuses connections (ECONNREFUSED); is the server running, and is the port right?`,
    )
  })

  test('no attempt begins after giveUpAfterMs', async () => {
    server.answer = (_, response) => sendJson(response, 500, {})
    const started = performance.now()
    await expect(textOf(modelOf({ retries: 1000, giveUpAfterMs: 900 }))).rejects.toThrow('given up after')
    expect(performance.now() - started).toBeLessThan(8000)
    expect(server.received.length).toBeLessThan(5)
  })

  test('an aborted completion rejects with the signal’s reason, and its request is broken off', async () => {
    server.answer = () => undefined
    const controller = new AbortController()
    const running = Array.from({ length: 40 }, () => textOf(modelOf(), 'x', { signal: controller.signal }))
    await vi.waitFor(() => expect(server.inFlight).toBe(40))
    controller.abort(new Error('stopped by hand'))
    for (const each of await Promise.allSettled(running)) {
      expect(each).toMatchObject({ status: 'rejected', reason: new Error('stopped by hand') })
    }
    await vi.waitFor(() => expect(server.inFlight).toBe(0))
  })

  test('what waits for its turn is stopped as well', async () => {
    server.answer = () => undefined
    const controller = new AbortController()
    const model = modelOf({ concurrency: 1 })
    const running = ['a', 'b'].map((prompt) => textOf(model, prompt, { signal: controller.signal }))
    await vi.waitFor(() => expect(server.inFlight).toBe(1))
    controller.abort(new Error('stopped by hand'))
    for (const each of running) await expect(each).rejects.toThrow('stopped by hand')
    expect(server.received).toHaveLength(1)
    server.answer = right
    expect(await textOf(model)).toBe('to x')
  })
})

describe('several servers', () => {
  const after =
    (ms: number): Answer =>
    async (received) => {
      await new Promise((resolve) => setTimeout(resolve, ms))
      return completionOf(received, `to ${promptIn(received)}`)
    }
  const askMany = (model: ReturnType<typeof modelOf>, count: number) =>
    Promise.all(Array.from({ length: count }, (_, i) => textOf(model, String(i))))
  const expected = (count: number) => Array.from({ length: count }, (_, i) => `to ${i}`)

  test('share the work, the faster one does more, and none has more at once than it may', async () => {
    server.answer = after(5)
    other.answer = after(60)
    expect(await askMany(modelOf({ ...both(), concurrency: 4 }), 100)).toEqual(expected(100))
    expect(server.received.length).toBeGreaterThan(2 * other.received.length)
    expect(other.received.length).toBeGreaterThan(3)
    expect(Math.max(server.mostInFlight, other.mostInFlight)).toBe(4)
  })

  test('one that is dead is left alone, and told once', async () => {
    server.answer = (_, response) => void response.destroy()
    other.answer = after(5)
    expect(await askMany(modelOf({ ...both(), concurrency: 4 }), 100)).toEqual(expected(100))
    // Those of the first moments, until its circuit opens.
    expect(server.received.length).toBeLessThan(15)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]).toEqual([
      expect.stringContaining(`${server.url}/v1 fails again and again: it broke the connection off`) as string,
    ])
  })

  test('one that dies in the middle loses nothing', async () => {
    server.answer = after(10)
    other.answer = after(10)
    const asked = askMany(modelOf({ ...both(), concurrency: 4 }), 100)
    await vi.waitFor(() => expect(other.received.length).toBeGreaterThan(10))
    await other.stop()
    expect(await asked).toEqual(expected(100))
    await other.start()
  })

  test('a server that is restarted in the middle loses nothing either', async () => {
    server.answer = after(10)
    const asked = askMany(modelOf({ concurrency: 4, retries: 8 }), 60)
    await vi.waitFor(() => expect(server.received.length).toBeGreaterThan(10))
    await server.stop()
    await new Promise((resolve) => setTimeout(resolve, 300))
    await server.start()
    expect(await asked).toEqual(expected(60))
  }, 30_000)
})

test('a server that is dead is asked few times, whatever waits for it, and all hear of it', async () => {
  server.answer = (_, response) => void response.destroy()
  const model = modelOf({ concurrency: 8, giveUpAfterMs: 1000, retries: 50 })
  const all = await Promise.allSettled(Array.from({ length: 200 }, (_, i) => textOf(model, String(i))))
  for (const each of all) {
    expect(each).toMatchObject({ status: 'rejected' })
    expect(((each as PromiseRejectedResult).reason as Error).message).toMatch(
      /127\.0\.0\.1:\d+\/v1 broke the connection off/,
    )
  }
  expect(server.received.length).toBeLessThan(30)
  expect(warn).toHaveBeenCalledTimes(1)
}, 30_000)
