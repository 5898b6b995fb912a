// The command that collects data for a simulator, from a server that plays: interrupted, killed, resumed, refused.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { readSimulatorDataConfig } from '../../src/cli/simulator-data-file.js'
import { askedIn, completionOf } from '../language-model/open-ai-answers.js'
import { startServer } from '../http/stand-in.js'
import { documentsOf, questions } from '../simulator-data/cities.js'

const folder = mkdtempSync(join(tmpdir(), 'data-command-'))
afterAll(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}
const jsonl = (records: readonly unknown[]): string => records.map((record) => `${JSON.stringify(record)}\n`).join('')

const asked = write(
  'questions.jsonl',
  jsonl(questions.map(({ id, question, goldAnswers }) => ({ id, question, golden_answers: goldAnswers }))),
)
const corpus = questions.flatMap((_, i) => documentsOf(i).slice(0, 2))
const documents = write(
  'documents.jsonl',
  jsonl(corpus.map(({ title, text }, id) => ({ id: String(id), title, text }))),
)

/** Every other town is known. */
const server = await startServer(async (received) => {
  await sleep(20)
  const { messages } = askedIn(received)
  const i = Number(/Town(\d+)\?/.exec(messages![0]!.content)![1])
  if (messages!.length === 1) return completionOf(received, `<search> river of Town${i} </search>`)
  return completionOf(received, `<answer> ${i % 2 ? `River${i}` : 'the sea'} </answer>`)
})

const settings = (saveTo: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  server: { model: 'player', baseUrl: `${server.url}/v1`, price: { prompt: 1, completion: 2 } },
  searchEngine: { kind: 'bm25', documents },
  questions: asked,
  saveTo: join(folder, saveTo),
  heldOut: 0.25,
  concurrency: 2,
  ...more,
})
const config = (saveTo: string, more?: Record<string, unknown>): string =>
  write(`${saveTo}.json`, JSON.stringify(settings(saveTo, more)))

function command(args: string[]) {
  const node = [
    '--require',
    resolve('kernel/preload.cjs'),
    '--import',
    'tsx',
    'src/cli/main.ts',
    'simulator-data',
    ...args,
  ]
  const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<{ code: number | null; out: string; faults: string }>((done) => {
    let [out, faults] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (faults += chunk.toString()))
    child.once('close', (code) => done({ code, out, faults }))
  })
  return { child, ended }
}

it('ends with 130 after an interruption, and goes on to 0', async () => {
  const path = config('first')
  const journal = join(folder, 'first', 'collected.jsonl')
  const lines = (): number => (existsSync(journal) ? readFileSync(journal, 'utf8').split('\n').length - 1 : 0)
  const first = command([path])
  while (lines() < 6) await sleep(5)
  first.child.kill('SIGINT')
  const stopped = await first.ended
  expect(stopped, stopped.faults).toMatchObject({ code: 130 })
  expect(stopped.faults).toContain('--resume goes on')
  expect(lines()).toBeLessThan(48)

  const before = server.received.length
  const done = await command([path, '--resume']).ended
  expect(done, done.faults).toMatchObject({ code: 0 })
  expect(done.out).toMatch(
    /^24 attempts, 12 right, 12 wrong; \d+ useful and \d+ noisy examples, .* held out\ndone; saved in /m,
  )
  expect(server.received.length - before).toBeLessThan(48)
  const manifest = JSON.parse(readFileSync(join(folder, 'first', 'manifest.json'), 'utf8')) as {
    counts: { spent: { players: object } }
  }
  // 24 attempts of two requests, 11 tokens read and 7 written in each.
  expect(manifest.counts.spent.players).toMatchObject({ promptTokens: 528, completionTokens: 336 })
}, 60_000)

it('reads the same file in a cell, and refuses what has no sense', async () => {
  const options = await readSimulatorDataConfig(
    config('read', { judge: { metric: 'em' }, prompt: { told: 'question', words: 12 }, words: 12 }),
  )
  expect(options).toMatchObject({ words: 12, heldOut: 0.25, judge: { metric: 'em' }, model: { name: 'player' } })
  const question = questions[0]!
  expect(JSON.stringify(options.prompt!.render('q', question, 'useful', 2))).toMatch(/^(?!.*River0).*about 12 words/)
  const refuse = (more: Record<string, unknown>, message: RegExp | string) =>
    expect(readSimulatorDataConfig(config('bad', more))).rejects.toThrow(message)
  await refuse({ rollout: 3 }, 'there is no option rollout; did you mean rollouts?')
  await refuse({ model: 'mini:policy' }, 'model or server must be given, one of them')
  await refuse({ method: 'magic' }, "method must be one of 'zerosearch', 'search-r1'")
  await refuse({ judge: { server: { model: 'j', apiKey: 'secret' } } }, 'judge.server.apiKey must not be in a file')
  await refuse({ method: 'rag', protocol: 'mini' }, 'protocol must not be mini')
})
