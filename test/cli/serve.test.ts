import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { ask } from '../serve/clients.js'

const folder = mkdtempSync(join(tmpdir(), 'serve-'))
afterAll(() => rmSync(folder, { recursive: true }))
const corpus = join(folder, 'corpus.jsonl')
writeFileSync(corpus, '{"id": 7, "contents": "\\"Lima\\"\\nLima is the capital of Peru."}\n')

/** Starts the command. @returns what it said so far, and its end */
function start(args: string[], env: object = {}) {
  const child = spawn(process.execPath, ['--import', 'tsx', 'src/cli/main.ts', 'serve', ...args], {
    env: { ...process.env, ...env },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve))
  return { child, said: () => said, ended }
}

test('a corpus is served until SIGTERM comes, with the token of the environment, which is not shown', async () => {
  const token = 'planted-token-0123456789'
  const { child, said, ended } = start(['--corpus', corpus, '--port', '0'], { ZEROSEARCH_SERVE_TOKEN: token })
  await expect.poll(said, { timeout: 60_000 }).toContain('POST /retrieve')
  const url = /http:\S+/.exec(said())![0]
  const headers = { authorization: `Bearer ${token}` }
  expect((await ask(`${url}/retrieve`, { queries: ['peru'] })).status).toBe(401)
  expect(JSON.parse((await ask(`${url}/retrieve`, { queries: ['peru'] }, { headers })).text)).toEqual({
    result: [[{ id: '7', contents: '"Lima"\nLima is the capital of Peru.' }]],
  })
  child.kill('SIGTERM')
  expect(await ended).toBe(0)
  expect(said()).toContain('ended: 1 requests answered, 1 refused')
  expect(said()).not.toContain(token)
})

test('what cannot be served is refused in words', async () => {
  for (const [args, message] of [
    [['--corpus', corpus, '--host', '0.0.0.0'], 'demands a token'],
    [['--corpus', corpus, '--simulator', 'mini'], 'give one of them'],
    [[], 'there would be nothing to serve'],
    [['--port', 'x'], 'It must be a number'],
  ] as const) {
    const { said, ended } = start([...args], { ZEROSEARCH_SERVE_TOKEN: '' })
    expect(await ended).toBe(1)
    expect(said()).toContain(message)
  }
})
