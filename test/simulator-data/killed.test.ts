// A build that is killed at random moments, again and again, ends with the same files as one that is left alone.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, expect, it } from 'vitest'
import { createRandom } from '../../src/random/seeded-random.js'

const folder = mkdtempSync(join(tmpdir(), 'killed-data-'))
afterAll(() => rmSync(folder, { recursive: true }))

function build(saveTo: string, resume: boolean) {
  const args = ['--import', 'tsx', 'test/simulator-data/build-until-killed.ts', saveTo, resume ? 'resume' : 'new']
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let said = ''
  child.stderr.on('data', (chunk: Buffer) => (said += chunk.toString()))
  const ended = new Promise<{ code: number | null; said: string }>((done) =>
    child.once('close', (code) => done({ code, said })),
  )
  return { child, ended }
}

const files = (saveTo: string): Record<string, string> =>
  Object.fromEntries(
    readdirSync(saveTo, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && entry.name !== 'collected.jsonl')
      .map((entry) => join(entry.parentPath, entry.name))
      .sort()
      .map((path) => [path.slice(saveTo.length), readFileSync(path).toString('base64')]),
  )

const linesOf = (saveTo: string): number => {
  const path = join(saveTo, 'collected.jsonl')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
}

it('is the same data', async () => {
  const whole = build(join(folder, 'whole'), false)
  const killed = join(folder, 'killed')
  const random = createRandom(Date.now())
  let kills = 0
  for (let tries = 0; tries < 4; tries++) {
    const { child, ended } = build(killed, existsSync(join(killed, 'manifest.json')))
    const before = linesOf(killed)
    while (child.exitCode === null && linesOf(killed) <= before) await sleep(2)
    await sleep(random() * 150)
    child.kill('SIGKILL')
    await ended
    if (child.signalCode === 'SIGKILL') kills++
  }
  expect(kills).toBeGreaterThan(0)
  const last = await build(killed, true).ended
  expect(last, last.said).toMatchObject({ code: 0 })
  expect(await whole.ended).toMatchObject({ code: 0 })
  expect(files(killed)).toEqual(files(join(folder, 'whole')))
}, 120_000)
