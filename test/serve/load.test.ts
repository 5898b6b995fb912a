// Many clients at once, slow and impatient ones: each gets what it asked for, or nothing. `ZEROSEARCH_LOAD_SECONDS=60` makes
// it a long one.
import { spawn, spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Document } from '../../src/schema/document.js'
import type { LanguageModel } from '../../src/language-model/language-model.js'
import { createRandom } from '../../src/random/seeded-random.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { serve } from '../../src/serve/serve.js'
import { ask } from './clients.js'

const SECONDS = Number(process.env['ZEROSEARCH_LOAD_SECONDS'] ?? 3)
const CLIENTS = 256

const random = createRandom(7)

/** Its documents name all that the query carried; some take long. */
const engine: SearchEngine & { running: number; most: number } = {
  name: 'slow',
  running: 0,
  most: 0,
  async search(query, { question, topK, seed, signal }): Promise<Document[]> {
    engine.most = Math.max(engine.most, ++engine.running)
    try {
      await sleep(random() < 0.05 ? 200 : random() * 20, undefined, signal && { signal })
    } finally {
      engine.running--
    }
    const text = JSON.stringify({ query, question: question.question, gold: question.goldAnswers, seed })
    return Array.from({ length: topK }, (_, i) => ({ id: `${query}-${i}`, text, rank: i + 1, score: 1 / (i + 1) }))
  },
}

const model: LanguageModel = {
  name: 'slow',
  async complete(prompt, { signal, onText } = {}) {
    const text = JSON.stringify(prompt)
    for (let from = 0; from < text.length; from += 50) {
      await sleep(random() * 4, undefined, signal && { signal })
      onText?.(text.slice(from, from + 50))
    }
    return { text, finishReason: 'end', promptTokens: 1, completionTokens: 1 }
  },
}

test(
  `${CLIENTS} clients get their own documents and texts, whatever the latency and whoever goes away`,
  async () => {
    const server = await serve({ searchEngine: engine, models: [model], concurrency: 16 })
    const end = Date.now() + SECONDS * 1000
    const count = { answered: 0, gone: 0, wrong: [] as string[] }

    async function client(number: number): Promise<void> {
      const draw = createRandom(number)
      for (let i = 0; Date.now() < end; i++) {
        const id = `c${number}r${i}`
        const controller = new AbortController()
        const leaves = draw() < 0.1
        if (leaves) void sleep(draw() * 60).then(() => controller.abort())
        try {
          const right = await (draw() < 0.2
            ? writes(id, draw() < 0.5, controller.signal)
            : searches(id, draw, controller.signal))
          count.answered++
          if (!right) count.wrong.push(id)
        } catch (error) {
          if (!leaves || (error as Error).name !== 'AbortError') count.wrong.push(`${id}: ${String(error)}`)
          else count.gone++
        }
      }
    }

    async function searches(id: string, draw: () => number, signal: AbortSignal): Promise<boolean> {
      const queries = Array.from({ length: 1 + Math.floor(draw() * 4) }, (_, i) => `${id}q${i}`)
      const contexts = queries.map((query) => ({
        question: `why ${query}?`,
        gold_answers: [`because ${query}`],
        seed: 1,
      }))
      const sent = { queries, topk: 3, return_scores: true, contexts }
      const { status, text } = await ask(`${server.url}/retrieve`, sent, { signal })
      if (status !== 200) throw new Error(`${status} ${text}`)
      const { result } = JSON.parse(text) as { result: { document: { id: string; contents: string } }[][] }
      const right = (query: string, { document }: (typeof result)[number][number], i: number): boolean => {
        const said = JSON.parse(document.contents) as { query: string; question: string; gold: string[] }
        const { question, gold } = said
        return (
          document.id === `${query}-${i}` &&
          said.query === query &&
          question === `why ${query}?` &&
          gold[0] === `because ${query}`
        )
      }
      return (
        result.length === queries.length &&
        queries.every((query, q) => result[q]!.length === 3 && result[q]!.every((found, i) => right(query, found, i)))
      )
    }

    async function writes(id: string, stream: boolean, signal: AbortSignal): Promise<boolean> {
      const messages = [{ role: 'user', content: `${id} ${'long '.repeat(30)}` }]
      const { status, text } = await ask(
        `${server.url}/v1/chat/completions`,
        { model: 'slow', messages, stream },
        { signal },
      )
      if (status !== 200) throw new Error(`${status} ${text}`)
      if (!stream) {
        const { choices } = JSON.parse(text) as { choices: { message: { content: string } }[] }
        return choices[0]!.message.content === JSON.stringify(messages)
      }
      const events = text.split('\n\n').filter((event) => event !== '' && event !== 'data: [DONE]')
      const pieces = events.map((event) => JSON.parse(event.slice(6)) as { choices: { delta: { content: string } }[] })
      return (
        text.endsWith('data: [DONE]\n\n') &&
        pieces.map(({ choices }) => choices[0]!.delta.content).join('') === JSON.stringify(messages)
      )
    }

    await Promise.all(Array.from({ length: CLIENTS }, (_, i) => client(i)))
    expect(count.wrong.slice(0, 5)).toEqual([])
    expect(count.answered).toBeGreaterThan(CLIENTS * 2)
    expect(count.gone).toBeGreaterThan(0)
    expect(engine.most).toBe(16)
    // Nothing is left behind.
    await expect.poll(() => server.counts.inFlight + server.counts.waiting + engine.running).toBe(0)
    // One that goes away may have been answered.
    expect(server.counts.answered).toBeGreaterThanOrEqual(count.answered)
    expect(server.counts).toMatchObject({ refused: 0, failed: 0 })
    await server.close()
    console.log(`${count.answered} answered, ${count.gone} gone, in ${SECONDS} s`)
  },
  (SECONDS + 60) * 1000,
)

/** Sixteen threads of urllib, each pairing what it gets with what it asked. */
const PYTHON = `
import json, sys, threading, urllib.request
url, token = sys.argv[1], sys.argv[2]
def post(path, body):
    headers = {'Content-Type': 'application/json', 'Authorization': 'Bearer ' + token}
    asked = urllib.request.Request(url + path, json.dumps(body).encode(), headers)
    return json.load(urllib.request.urlopen(asked, timeout=60))
wrong = []
def client(n):
    for i in range(20):
        query = f'q{n}-{i} Łódź'
        found = post('/retrieve', {'queries': [query, query + '!'], 'topk': 2, 'return_scores': True})['result']
        said = [[json.loads(each['document']['contents'])['query'] for each in docs] for docs in found]
        if said != [[query] * 2, [query + '!'] * 2]: wrong.append(said)
        if json.loads(post('/retrieve', {'query': query, 'top_k': 1})[0]['text'])['query'] != query: wrong.append(query)
threads = [threading.Thread(target=client, args=(n,)) for n in range(16)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
messages = [{'role': 'user', 'content': 'hi'}]
said = post('/v1/chat/completions', {'model': 'slow', 'messages': messages})['choices'][0]['message']['content']
print(len(wrong), json.loads(said) == messages)
`

const noPython = spawnSync('python3', ['--version']).status !== 0

test.skipIf(noPython)('clients in Python get their own documents', async () => {
  const token = 'a-token-for-python'
  const server = await serve({ searchEngine: engine, models: [model], token })
  const child = spawn('python3', ['-c', PYTHON, server.url, token])
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
  await new Promise((resolve) => child.once('close', resolve))
  expect(said).toBe('0 True\n')
  await server.close()
})
