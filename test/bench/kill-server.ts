// A training whose simulator is a real LLM behind `transformers serve`, which is killed (`kill -9`) and begun anew in the middle:
//   ZEROSEARCH_SMOLLM2=<folder> npx tsx test/bench/kill-server.ts <transformers>
// <transformers> is the command of a Python with `transformers[serving]` and torch. The server is killed
// - before the first byte of a reply, and begun anew: the run goes on, and ends with the records and weights of an undisturbed one;
// - in the middle of a reply, and begun anew: the same;
// - and stays away for longer than the client's patience: the run ends with an error that says so and what was done is saved;
//   resumed with the server back, it ends as the undisturbed one.
import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import type { AddressInfo, Socket } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { isDeepStrictEqual } from 'node:util'
import * as zs from '../../src/index.js'
import { runIn } from '../train/kill-training.js'
import { aQuestion, tinyPolicy } from '../train/tiny-policy.js'

const command = process.argv[2] ?? 'transformers'
const weights = process.env['ZEROSEARCH_SMOLLM2']
if (weights === undefined) throw new Error('ZEROSEARCH_SMOLLM2 must name the folder of SmolLM2-135M-Instruct')
const PORT = 18_471
const UPDATES = 3

let server: ChildProcess | undefined

async function startServer(): Promise<void> {
  const args = ['serve', weights!, '--port', String(PORT), '--device', 'cpu']
  server = spawn(command, args, { stdio: 'ignore', env: { ...process.env, HF_HUB_OFFLINE: '1', OMP_NUM_THREADS: '1' } })
  for (;;) {
    const answered = await fetch(`http://127.0.0.1:${PORT}/health`).then(
      ({ ok }) => ok,
      () => false,
    )
    if (answered) return
    if (server.exitCode !== null) throw new Error(`${command} ${args.join(' ')} ended at once`)
    await sleep(500)
  }
}

async function killServer(): Promise<void> {
  const ended = new Promise((resolve) => server!.once('close', resolve))
  server!.kill('SIGKILL')
  await ended
}

/** What stands between client and server and does harm at the right moment. */
interface Harm {
  when: 'request' | 'reply'
  /** Searches that go by before. */
  after: number
  do: () => void
}
let harm: Harm | undefined
let requests = 0

const proxy = createServer((client) => {
  const upstream = connect(PORT, '127.0.0.1')
  const drop = (): void => [client, upstream].forEach((socket: Socket) => socket.destroy())
  for (const socket of [client, upstream]) socket.on('error', drop).on('close', drop)
  client.on('data', (data: Buffer) => {
    upstream.write(data)
    if (!data.includes('POST ')) return
    requests++
    if (harm?.when === 'request' && harm.after-- === 0) strike()
  })
  upstream.on('data', (data: Buffer) => {
    if (harm?.when !== 'reply' || harm.after-- !== 0) return void client.write(data)
    client.write(data.subarray(0, Math.floor(data.length * 0.7)), strike)
  })
  function strike(): void {
    harm!.do()
    harm = undefined
  }
})
await new Promise<void>((resolve) => proxy.listen(0, '127.0.0.1', resolve))

async function run(saveTo: string, patience: object, resume = false): Promise<zs.UpdateRecord[]> {
  const policy = await tinyPolicy((turn, heard) =>
    turn === 0 ? `<search> ${/\d/.exec(heard)![0]} rivers of Peru </search>` : `<answer> ${heard.length} </answer>`,
  )
  const llm = zs.openAi({
    baseUrl: `http://127.0.0.1:${(proxy.address() as AddressInfo).port}/v1`,
    model: weights!,
    name: 'smollm2',
    apiKey: 'unused',
    ...patience,
  })
  // Greedy: what it writes depends on the query alone.
  const simulator = zs.createSimulator(llm, {
    temperature: 0,
    prompt: {
      render: (query) => [
        { role: 'user', content: `Write a list of one sentence about: ${query}. Begin with "Doc 1:".` },
      ],
      stop: [],
      maxTokens: 12,
    },
  })
  // The tiny policy reads ASCII alone.
  const searchEngine: zs.SearchEngine = {
    name: simulator.name,
    search: async (query, context) =>
      (await simulator.search(query, context)).map((document) => ({
        ...document,
        text: document.text.replace(/[^ -~]/g, '?'),
      })),
  }
  const records = await zs.train({
    ...{ algorithm: 'grpo', policy, searchEngine, questions: [1, 2, 3, 4, 5].map(aQuestion), curriculum: 0 },
    ...{ updates: UPDATES, questionsPerUpdate: 2, groupSize: 2, topK: 1, learningRate: 1e-3, seed: 3 },
    protocol: { ...zs.mini.protocol, maxTokens: 600 },
    reward: ({ turns, seed }) => ((turns[0]?.observation?.text.length ?? 0) + seed) % 5,
    ...{ saveTo, saveEvery: { updates: 1 }, trajectories: 'jsonl', progress: false, resume },
  })
  policy.dispose()
  return records
}

const parent = mkdtempSync(join(tmpdir(), 'kill-server-'))
const folder = (name: string): string => join(parent, name)
const seconds = (since: number): string => `${Math.round((performance.now() - since) / 1000)} s`

function compare(name: string): void {
  if (!isDeepStrictEqual(runIn(folder(name)), runIn(folder('undisturbed'))))
    throw new Error(`${name}: the run is another than the undisturbed one`)
}

try {
  await startServer()
  const begun = performance.now()
  const records = await run(folder('undisturbed'), {})
  if (records.some(({ failed, searchFaults }) => failed + (searchFaults ?? 0) > 0))
    throw new Error('undisturbed: searches fail')
  console.log(`undisturbed: ${UPDATES} updates, ${requests} requests, ${seconds(begun)}`)

  for (const when of ['request', 'reply'] as const) {
    const started = performance.now()
    let down: Promise<void> | undefined
    harm = { when, after: 5, do: () => void (down = killServer().then(startServer)) }
    const before = requests
    await run(folder(when), {})
    if (!down) throw new Error(`the server was not killed (${when})`)
    await down
    compare(when)
    console.log(
      `killed ${when === 'request' ? 'before the first byte' : 'in the middle of a reply'} and begun anew: the same records and ` +
        `weights, ${requests - before} requests, ${seconds(started)}`,
    )
  }

  harm = { when: 'request', after: 9, do: () => void killServer() }
  const started = performance.now()
  const message = await run(folder('away'), { retries: 2, giveUpAfterMs: 5_000 }).then(
    () => 'it did not end',
    (error: Error) => error.message,
  )
  if (!/openAi \(.*127\.0\.0\.1/.test(message)) throw new Error(`away: the error does not say why: ${message}`)
  const saved = readFileSync(join(folder('away'), 'updates.jsonl'), 'utf8')
    .trim()
    .split('\n').length
  console.log(`away for good: after ${seconds(started)} and ${saved} saved updates the run ended with: ${message}`)
  await startServer()
  await run(folder('away'), { retries: 2, giveUpAfterMs: 5_000 }, true)
  compare('away')
  console.log('resumed with the server back: the same records and weights')
} finally {
  server?.kill('SIGKILL')
  proxy.close()
  rmSync(parent, { recursive: true })
}
