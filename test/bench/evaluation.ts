// Two evaluations whose time is mostly waiting (`npx tsx test/bench/evaluation.ts [questions, default 1000] [at a time, default 64]`), both kept in a folder:
// - questions asked of a server that answers after 200 ms, so many at a time, against the time that the server needs at least;
// - 64 rollouts of the mini policy whose searches take 300 to 900 ms, against the longest chain of them plus the same rollouts
//   without waiting; the tokens must be the same.
// Aims: 1.2 times and 1.15 times. The exit code is 1 where tokens differ.
import { fork } from 'node:child_process'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { mkdtempSync, rmSync } from 'node:fs'
import { availableParallelism, loadavg, tmpdir } from 'node:os'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { evaluate } from '../../src/evaluation/evaluate.js'
import { directMethod } from '../../src/evaluation/methods/direct.js'
import { policyMethod } from '../../src/evaluation/methods/policy.js'
import { loadModel } from '../../src/language-model/local-model.js'
import { openAi } from '../../src/language-model/open-ai.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { hash, uniform } from '../../src/random/seeded-random.js'
import type { Question } from '../../src/schema/question.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import type { SearchEngine } from '../../src/search/search-engine.js'

const LATENCY_MS = 200
const CONCURRENCY = Number(process.argv[3] ?? 64)

if (process.argv[2] === 'server') {
  const answer = JSON.stringify({
    id: 'x',
    object: 'chat.completion',
    choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: '<answer> Lima</answer>' } }],
    usage: { prompt_tokens: 50, completion_tokens: 5, total_tokens: 55 },
  })
  const server = createServer((request, response) => {
    request
      .resume()
      .on('end', () =>
        setTimeout(() => response.writeHead(200, { 'content-type': 'application/json' }).end(answer), LATENCY_MS),
      )
  })
  server.listen(0, '127.0.0.1', () => process.send!((server.address() as AddressInfo).port))
} else await measure(Number(process.argv[2] ?? 1000))

async function measure(count: number): Promise<void> {
  const parent = mkdtempSync(join(tmpdir(), 'evaluation-'))
  try {
    console.log(`${availableParallelism()} cores, load ${loadavg()[0]!.toFixed(1)}`)
    await served(count, join(parent, 'served'))
    const same = await played(join(parent, 'played'))
    if (!same) process.exitCode = 1
  } finally {
    rmSync(parent, { recursive: true })
  }
}

async function served(count: number, saveTo: string): Promise<void> {
  const server = fork(import.meta.filename, ['server'], { execArgv: ['--import', 'tsx'] })
  const port = await new Promise((resolve) => server.once('message', resolve))
  try {
    const model = openAi({
      model: 'm',
      baseUrl: `http://127.0.0.1:${String(port)}/v1`,
      apiKey: 'none',
      chatOnly: true,
      concurrency: CONCURRENCY,
    })
    const questions = Array.from({ length: count }, (_, n): Question => {
      return { id: `q${n}`, dataset: 'capitals', question: `What is the capital of ${n}?`, goldAnswers: ['Lima'] }
    })
    const methods = [directMethod(model)]
    await evaluate({
      methods,
      questions: questions.slice(0, 64).map((one) => ({ ...one, dataset: 'warm' })),
      progress: false,
    })
    const [started, before] = [performance.now(), process.cpuUsage()]
    const scores = await evaluate({ methods, questions, concurrency: CONCURRENCY, saveTo, progress: false })
    const seconds = (performance.now() - started) / 1000
    const { user, system } = process.cpuUsage(before)
    const ideal = (Math.ceil(count / CONCURRENCY) * LATENCY_MS) / 1000
    const right = scores.filter(({ em }) => em === 1).length
    console.log(
      `${count} questions of a server of ${LATENCY_MS} ms, ${CONCURRENCY} at a time: ${seconds.toFixed(2)} s, ` +
        `${(seconds / ideal).toFixed(2)} times the ideal ${ideal.toFixed(2)} s; ${right} right, ${((user + system) / 1e6).toFixed(2)} s of this process's own`,
    )
  } finally {
    server.kill()
  }
}

async function played(saveTo: string): Promise<boolean> {
  const policy = await loadModel(miniCheckpoint('ceiling'), { slots: 64 })
  const bm25 = await createBm25Engine(await miniDocuments('validation'))
  const questions = (await miniQuestions('mini-hotpotqa', 'validation')).slice(0, 64)
  const play = async (searchEngine: SearchEngine, folder?: string) => {
    const tokens = new Map<string, number[]>()
    const started = performance.now()
    await evaluate({
      methods: [policyMethod('policy', policy, { searchEngine, protocol: miniProtocol })],
      questions,
      progress: false,
      onTrajectory: (_, { question, ids }) => void tokens.set(question.id, ids),
      ...(folder !== undefined && { saveTo: folder }),
    })
    return { tokens, seconds: (performance.now() - started) / 1000 }
  }
  await play(bm25) // Compiles.
  const chains = new Map<string, number>()
  const late: SearchEngine = {
    name: 'bm25',
    async search(query, context) {
      const ms = 300 + 600 * uniform(hash(...([...query].map((letter) => letter.codePointAt(0)!) as [number])))
      chains.set(context.question.id, (chains.get(context.question.id) ?? 0) + ms)
      await new Promise((resolve) => setTimeout(resolve, ms))
      return bm25.search(query, context)
    },
  }
  const plain = await play(bm25)
  const waiting = await play(late, saveTo)
  policy.dispose()
  const longest = Math.max(...chains.values()) / 1000
  const same = isDeepStrictEqual(new Map([...waiting.tokens].sort()), new Map([...plain.tokens].sort()))
  const least = longest + plain.seconds
  console.log(
    `${questions.length} rollouts, searches of 300 to 900 ms: ${waiting.seconds.toFixed(2)} s, ` +
      `${(waiting.seconds / least).toFixed(2)} times the longest chain ${longest.toFixed(2)} s plus the rollouts' own ` +
      `${plain.seconds.toFixed(2)} s; tokens ${same ? 'the same' : 'DIFFER'}`,
  )
  return same
}
