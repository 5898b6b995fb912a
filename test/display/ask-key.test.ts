// Keys that are typed: where they go, and that they are in nothing that is shown or written.
import { spawn, spawnSync } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import { askKey } from '../../src/display/ask-key.js'
import { startServer } from '../http/stand-in.js'
import { completionOf } from '../language-model/open-ai-answers.js'

const KEY = 'sk-planted-4e1f'
const folder = mkdtempSync(join(tmpdir(), 'ask-key-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => {
  vi.unstubAllEnvs()
  vi.unstubAllGlobals()
})

/** A notebook whose front end answers so. */
const notebook = (secret: () => Promise<string>): void => void vi.stubGlobal('Jupyter', { secret: vi.fn(secret) })

test('a notebook’s field asks, and the environment of the process has the key; nothing comes back to be shown', async () => {
  vi.stubEnv('OPENAI_API_KEY', 'the old one')
  notebook(() => Promise.resolve(` ${KEY}\n`))
  expect(await askKey('OPENAI_API_KEY')).toBeUndefined()
  expect(process.env['OPENAI_API_KEY']).toBe(KEY)
})

test.each([
  ['', 'askKey: OPENAI_API_KEY must be a text without blanks; nothing was typed'],
  [`${KEY} ${KEY}`, 'askKey: OPENAI_API_KEY must be a text without blanks; what was typed has blanks'],
])('what is no key is refused and not shown: %#', async (typed, message) => {
  vi.stubEnv('OPENAI_API_KEY', 'the old one')
  notebook(() => Promise.resolve(typed))
  const error = (await askKey('OPENAI_API_KEY').catch((reason: unknown) => reason)) as Error
  expect(error.message).toContain(message)
  expect(error.stack).not.toContain('planted')
  expect(process.env['OPENAI_API_KEY']).toBe('the old one')
})

test('a name that may be a key is not shown, and is not asked for', async () => {
  for (const name of [KEY, '', 'openai', undefined]) {
    const error = (await askKey(name as string).catch((reason: unknown) => reason)) as Error
    expect(error.message).toContain('askKey: the name must be one of the environment, such as OPENAI_API_KEY')
    expect(error.message).not.toContain('planted')
  }
})

test('where nobody can be asked it says so, with the name', async () => {
  await expect(askKey('OPENAI_API_KEY')).rejects.toThrow(
    'askKey: OPENAI_API_KEY: there is no terminal to ask in; set it in the environment before the start',
  )
  notebook(() => Promise.reject(new Error('the cell was interrupted')))
  await expect(askKey('OPENAI_API_KEY')).rejects.toThrow('askKey: OPENAI_API_KEY: the cell was interrupted')
})

// A terminal, in which somebody types: the first argument, when the prompt has come. Prints all that the terminal showed.
const TERMINAL = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[2], sys.argv[2:])
shown, typed = b'', False
while True:
    try: piece = os.read(terminal, 65536)
    except OSError: break
    if not piece: break
    shown += piece
    if not typed and b'(not shown)' in shown:
        os.write(terminal, sys.argv[1].encode().decode('unicode_escape').encode())
        typed = True
code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
print(shown.decode(), 'exit', code)
`
const noPython = spawnSync('python3', ['-c', 'import pty']).status !== 0

function inTerminal(typed: string, ...args: string[]): Promise<string> {
  const command = [process.execPath, '--import', 'tsx', 'src/cli/main.ts', ...args]
  const child = spawn('python3', ['-c', TERMINAL, typed, ...command], {
    env: { ...process.env, OPENAI_API_KEY: '' },
  })
  let said = ''
  for (const stream of [child.stdout, child.stderr]) stream.on('data', (data: Buffer) => (said += data.toString()))
  return new Promise((resolve) => child.once('close', () => resolve(said)))
}

test.skipIf(noPython)('a terminal shows nothing of what is typed, and a command finds it', async () => {
  const server = await startServer((received) => completionOf(received, '<answer> Lima</answer>'))
  const questions = join(folder, 'questions.jsonl')
  writeFileSync(questions, '{"id": "q", "dataset": "d", "question": "Capital of Peru?", "goldAnswers": ["Lima"]}\n')
  const config = join(folder, 'config.json')
  const settings = {
    models: { served: { server: { model: 'm', baseUrl: `${server.url}/v1` } } },
    questions,
    methods: [{ method: 'direct', model: 'served' }],
    saveTo: join(folder, 'results'),
  }
  writeFileSync(config, JSON.stringify(settings))
  const said = await inTerminal(`${KEY}\\r`, 'evaluate', config, '--ask-key', 'OPENAI_API_KEY')
  expect(said).toContain('OPENAI_API_KEY (not shown): ')
  expect(said).toContain('exit 0')
  expect(said).not.toContain('planted')
  expect(server.received[0]!.headers.authorization).toBe(`Bearer ${KEY}`)
  const written = readdirSync(folder, { recursive: true, encoding: 'utf8' }).map((name) => join(folder, name))
  expect(written.length).toBeGreaterThan(4)
  for (const path of written.filter((each) => statSync(each).isFile()))
    expect(readFileSync(path, 'latin1'), path).not.toContain('planted')
})

test.skipIf(noPython)('Ctrl-C ends the question and the command', async () => {
  const said = await inTerminal('sk-planted\\x03', 'runs', 'list', folder, '--ask-key', 'OPENAI_API_KEY')
  expect(said).toContain('askKey: OPENAI_API_KEY: stopped before a key was given')
  expect(said).toContain('exit 1')
  expect(said).not.toContain('planted')
})
