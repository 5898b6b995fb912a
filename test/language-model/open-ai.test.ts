import { afterEach, beforeAll, beforeEach, describe, expect, test, vi } from 'vitest'
import { openAi } from '../../src/language-model/open-ai.js'
import type { OpenAiOptions } from '../../src/language-model/open-ai.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import type { StandIn } from '../http/stand-in.js'
import { startServer } from '../http/stand-in.js'
import { completionOf } from './open-ai-answers.js'

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
