import type { ServerResponse } from 'node:http'
import type { Received } from '../http/stand-in.js'

/** The body of a request, as far as tests read it. */
export interface Asked {
  model: string
  prompt?: string
  messages?: { role: string; content: string }[]
  stream?: boolean
  [field: string]: unknown
}

export const askedIn = ({ body }: Received): Asked => body as Asked

/** What the model was asked, as one text. */
export const promptIn = (received: Received): string =>
  askedIn(received).prompt ??
  askedIn(received)
    .messages!.map(({ content }) => content)
    .join('\n')

let answers = 0

/** An answer as servers give it, for either endpoint. */
export function completionOf(received: Received, text: string, more: object = {}, finish: object = {}): object {
  const chat = received.path.endsWith('/chat/completions')
  const said = chat ? { message: { role: 'assistant', content: text } } : { text }
  return {
    id: `${chat ? 'chatcmpl' : 'cmpl'}-${answers++}`,
    object: chat ? 'chat.completion' : 'text_completion',
    created: 1_760_000_000,
    model: askedIn(received).model,
    choices: [{ index: 0, ...said, logprobs: null, finish_reason: 'stop', ...finish }],
    usage: { prompt_tokens: 11, completion_tokens: 7, total_tokens: 18 },
    ...more,
  }
}

/** Sends pieces as server-sent events, and then what ends them. */
export async function streamOf(
  received: Received,
  response: ServerResponse,
  pieces: readonly string[],
  { finish = 'stop', end = true, pauseMs = 0 }: { finish?: string; end?: boolean; pauseMs?: number } = {},
): Promise<void> {
  const chat = received.path.endsWith('/chat/completions')
  const send = (value: object): void => void response.write(`data: ${JSON.stringify(value)}\n\n`)
  const common = { id: `chatcmpl-${answers++}`, created: 1_760_000_000, model: askedIn(received).model }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  for (const content of pieces) {
    send({
      ...common,
      choices: [{ index: 0, ...(chat ? { delta: { content } } : { text: content }), finish_reason: null }],
    })
    await new Promise((resolve) => setTimeout(resolve, pauseMs))
  }
  if (!end) return void response.destroy()
  send({ ...common, choices: [{ index: 0, ...(chat ? { delta: {} } : { text: '' }), finish_reason: finish }] })
  send({ ...common, choices: [], usage: { prompt_tokens: 11, completion_tokens: pieces.length } })
  response.end('data: [DONE]\n\n')
}
