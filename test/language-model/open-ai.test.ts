import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { chat } from '../../src/language-model/chat.js'
import type { CompletionOptions } from '../../src/language-model/language-model.js'
import { openAi } from '../../src/language-model/open-ai.js'
import type { OpenAiOptions } from '../../src/language-model/open-ai.js'
import type { Message } from '../../src/tokenizer/tokenizer.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import type { StandIn } from '../http/stand-in.js'
import { startServer } from '../http/stand-in.js'
import { completionOf, streamOf } from './open-ai-answers.js'

let server: StandIn
beforeAll(async () => {
  server = await startServer(() => undefined)
})
beforeEach(() => {
  server.received.length = 0
  server.answer = (received) => completionOf(received, 'Lima')
})
afterEach(() => vi.unstubAllEnvs())

const modelOf = (options: Partial<OpenAiOptions> = {}) =>
  openAi({ baseUrl: `${server.url}/v1`, model: 'tiny', retries: 0, ...options })

describe('what is asked and what comes back', () => {
  test('messages go to the chat endpoint, with all that was asked', async () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: 'Capital of Peru?' },
    ] as const
    const options = { maxTokens: 20, temperature: 0.5, topP: 0.9, topK: 3, stop: ['\n'], seed: 7 }
    const completion = await modelOf().complete(messages, options)
    expect(completion).toEqual({ text: 'Lima', finishReason: 'stop', promptTokens: 11, completionTokens: 7 })
    const { path, body } = server.received[0]!
    expect(path).toBe('/v1/chat/completions')
    const sampling = { max_tokens: 20, temperature: 0.5, top_p: 0.9, top_k: 3, stop: ['\n'], seed: 7 }
    expect(body).toEqual({ model: 'tiny', messages, ...sampling })
  })

  test('a text goes to the completions endpoint, or as a message to a server that only chats', async () => {
    await modelOf().complete('The capital of Peru is')
    expect(server.received[0]).toMatchObject({ path: '/v1/completions', body: { prompt: 'The capital of Peru is' } })
    await modelOf({ chatOnly: true }).complete('The capital of Peru is')
    const messages = [{ role: 'user', content: 'The capital of Peru is' }]
    expect(server.received[1]).toMatchObject({ path: '/v1/chat/completions', body: { messages } })
  })

  test('it goes wherever a language model goes: into a simulator', async () => {
    server.answer = (received) => completionOf(received, 'Doc 1: Lima is the capital.\nDoc 2: Lima lies by the sea.')
    const question = { id: 'd-0', dataset: 'd', question: 'Capital of Peru?', goldAnswers: ['Lima'] }
    const documents = await createSimulator(modelOf()).search('capital', { question, topK: 5 })
    expect(documents.map(({ text }) => text).sort()).toEqual(['Lima is the capital.', 'Lima lies by the sea.'])
  })
})

describe('why a text ended', () => {
  const stop = ['</answer>', '\n']
  test.each([
    ['the end, where nothing could stop it', 'abc', {}, undefined, { text: 'abc', finishReason: 'end' }],
    ['a stop string, though the server does not tell which', 'abc', {}, stop, { text: 'abc', finishReason: 'stop' }],
    ['the stop string that vLLM tells', 'abc', { stop_reason: '\n' }, stop, { finishReason: 'stop', stopString: '\n' }],
    [
      'the stop string that SGLang tells',
      'abc',
      { matched_stop: '\n' },
      stop,
      { finishReason: 'stop', stopString: '\n' },
    ],
    ['the end, which vLLM tells', 'abc', { stop_reason: null }, stop, { text: 'abc', finishReason: 'end' }],
    ['the end, which SGLang tells by its token', 'abc', { matched_stop: 151_645 }, stop, { finishReason: 'end' }],
    ['maxTokens', 'abc', { finish_reason: 'length' }, stop, { text: 'abc', finishReason: 'length' }],
    [
      'a stop string that a server without any has written on from',
      'a</answer>b\nc',
      { finish_reason: 'length' },
      stop,
      { text: 'a', finishReason: 'stop', stopString: '</answer>' },
    ],
  ])('%s', async (_, said, finish, stop, expected) => {
    server.answer = (received) => completionOf(received, said, {}, finish)
    expect(await modelOf().complete('x', { ...(stop && { stop }) })).toMatchObject(expected)
  })

  test('a text that is absent is empty: a model may end at once, or think only', async () => {
    server.answer = (received) =>
      completionOf(received, '', {}, { message: { content: null, reasoning_content: 'hm' } })
    expect(await chat(modelOf(), 'x')).toMatchObject({ text: '', finishReason: 'end' })
  })
})

describe('a text in pieces', () => {
  const streamed = async (prompt: string | Message[], options: CompletionOptions = {}) => {
    const pieces: string[] = []
    const completion = await modelOf().complete(prompt, { ...options, onText: (piece) => pieces.push(piece) })
    return { pieces, completion }
  }

  test.each([['a text'], [[{ role: 'user', content: 'a chat' } as const]]])('is handed on: %j', async (prompt) => {
    server.answer = (received, response) => streamOf(received, response, ['Li', 'ma is ', '', 'large. 👩‍👩‍👧'])
    const { pieces, completion } = await streamed(prompt)
    expect(pieces).toEqual(['Li', 'ma is ', 'large. 👩‍👩‍👧'])
    expect(completion).toEqual({
      text: 'Lima is large. 👩‍👩‍👧',
      finishReason: 'end',
      promptTokens: 11,
      completionTokens: 4,
    })
    expect(server.received[0]!.body).toMatchObject({ stream: true, stream_options: { include_usage: true } })
  })

  test('never holds a stop string or its beginning, from a server that sends on after it', async () => {
    server.answer = (received, response) => streamOf(received, response, ['a </ans', 'wer', '> b', ' c'])
    const { pieces, completion } = await streamed('x', { stop: ['</answer>'] })
    expect(pieces.join('')).toBe('a ')
    expect(completion).toMatchObject({ text: 'a ', finishReason: 'stop', stopString: '</answer>' })
  })

  test('that breaks off before it began is asked for again, later not', async () => {
    let requests = 0
    server.answer = (received, response) => streamOf(received, response, ['Lima'], { end: ++requests > 1 })
    const model = modelOf({ retries: 3 })
    const heard: string[] = []
    const onText = (piece: string): void => void heard.push(piece)
    await expect(model.complete('x', { onText })).rejects.toThrow(
      'broke off in the middle of a text, which cannot be taken back: it',
    )
    expect(heard).toEqual(['Lima'])
    expect(requests).toBe(1)
    requests = 0
    server.answer = (received, response) =>
      streamOf(received, response, ++requests > 1 ? ['Lima'] : [], { end: requests > 1 })
    expect((await model.complete('x', { onText })).text).toBe('Lima')
    expect(requests).toBe(2)
  })

  test('an error in the middle of a stream is told', async () => {
    server.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      response.end('data: {"error":{"message":"out of memory","code":500}}\n\n')
    }
    await expect(streamed('x')).rejects.toThrow('out of memory')
    server.answer = (_, response) => void response.writeHead(200).end('data: {"choices": [\n\n')
    await expect(streamed('x')).rejects.toThrow('answered with broken JSON')
    server.answer = (_, response) => void response.writeHead(200, { 'content-type': 'text/html' }).end('<html>hi')
    await expect(streamed('x')).rejects.toThrow('answered with a page of HTML: <html>hi')
  })

  test('a callback that throws fails its own completion, and is not the server’s fault', async () => {
    server.answer = (received, response) => streamOf(received, response, ['a', 'b'])
    const model = modelOf({ retries: 3 })
    const onText = (): void => {
      throw new Error('my mistake')
    }
    await expect(model.complete('x', { onText })).rejects.toEqual(new Error('my mistake'))
    expect(model.usage.failures).toBe(0)
    expect(server.received).toHaveLength(1)
  })

  test('a stopped completion is silent afterwards', async () => {
    server.answer = (received, response) => streamOf(received, response, Array<string>(50).fill('a'), { pauseMs: 5 })
    const controller = new AbortController()
    let pieces = 0
    const onText = (): void => {
      pieces++
      controller.abort(new Error('stopped by hand'))
    }
    await expect(modelOf().complete('x', { onText, signal: controller.signal })).rejects.toThrow('stopped by hand')
    await new Promise((resolve) => setTimeout(resolve, 50))
    expect(pieces).toBe(1)
  })
})

describe('what it took', () => {
  test('tokens and cost, of each completion and in all', async () => {
    const model = modelOf({ price: { prompt: 2, completion: 10 } })
    expect(model.usage).toEqual({ completions: 0, failures: 0, promptTokens: 0, completionTokens: 0, cost: 0 })
    expect((await model.complete('x')).cost).toBeCloseTo((11 * 2 + 7 * 10) / 1e6, 12)
    await model.complete('y')
    expect(model.usage).toMatchObject({ completions: 2, promptTokens: 22, completionTokens: 14 })
    expect(model.usage.cost).toBeCloseTo((2 * (11 * 2 + 7 * 10)) / 1e6, 12)
  })

  test('is estimated where the server does not count', async () => {
    server.answer = (received) => completionOf(received, 'twelve chars', { usage: null })
    expect(await modelOf().complete('x'.repeat(40))).toMatchObject({ promptTokens: 10, completionTokens: 3 })
  })

  test('a limit of requests holds the next ones back', async () => {
    const model = modelOf({ requestsPerMinute: 2 })
    const controller = new AbortController()
    const asked = [0, 1, 2].map(() => model.complete('x', { signal: controller.signal }))
    await Promise.all(asked.slice(0, 2))
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(server.received).toHaveLength(2)
    controller.abort(new Error('waited long enough'))
    await expect(asked[2]).rejects.toThrow('waited long enough')
  })

  test('a limit of tokens counts what a request may take until it is known what it took', async () => {
    const model = modelOf({ tokensPerMinute: 150 })
    await expect(model.complete('x', { maxTokens: 150 })).rejects.toThrow(
      'a request must fit into tokensPerMinute (150), this one may take 151',
    )
    // Each may take 101, and takes 18.
    for (let i = 0; i < 3; i++) await model.complete('x', { maxTokens: 100 })
    const controller = new AbortController()
    const fourth = model.complete('x', { maxTokens: 100, signal: controller.signal })
    await new Promise((resolve) => setTimeout(resolve, 200))
    expect(server.received).toHaveLength(3)
    controller.abort(new Error('waited long enough'))
    await expect(fourth).rejects.toThrow('waited long enough')
  })
})

test.each([
  [{ modle: 'x' }, 'there is no option modle; did you mean model?'],
  [{ model: '' }, 'model must have a length of at least 1'],
  [{ baseUrl: 'localhost:8000' }, 'baseUrl must be an address such as http://127.0.0.1:8000/v1'],
  [{ baseUrls: [] }, 'baseUrls must have a length of at least 1'],
  [{ baseUrls: ['http://a/v1'], baseUrl: 'http://a/v1' }, 'either baseUrl or baseUrls must be given, got both'],
  [{ timeoutMs: 0 }, 'timeoutMs must be a positive integer, got 0'],
  [{ concurrency: 1.5 }, 'concurrency must be a positive integer, got 1.5'],
])('%j is refused', (options, message) => {
  expect(() => openAi({ model: 'tiny', ...options })).toThrow(`openAi: ${message}`)
})
