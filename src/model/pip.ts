import { spawn } from 'node:child_process'
import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

// Python packages come by pip, because the mirrors and proxies of a user's network are set there.

/** The set-up's own environment first: its pip is known. */
const PYTHONS = [fileURLToPath(new URL('../../.runtime/venv/bin/python', import.meta.url)), 'python3', 'python']

const QUIET = ['--disable-pip-version-check', '--no-input', '--no-color']
const NO_OTHERS = ['--no-deps', '--only-binary=:all:']

const UNREACHED = /NewConnectionError|ConnectTimeout|ReadTimeout|ProxyError|NameResolutionError|Max retries exceeded/

/** The last lines of what a failed pip said. */
const LINES = 3

/** The pip of the first Python that has one. */
export interface Pip {
  /** From version 25 on it tells bytes to a program, and the address of a wheel without fetching it. */
  modern: boolean
  run(args: readonly string[], options?: RunOptions): Promise<string>
}

interface RunOptions {
  onLine?: ((line: string) => void) | undefined
  signal?: AbortSignal | undefined
}

/** @throws where no Python has pip */
export async function findPip(signal?: AbortSignal): Promise<Pip> {
  for (const python of PYTHONS) {
    const pip: Pip['run'] = (args, options) => run(python, ['-m', 'pip', ...args], { signal, ...options })
    const said = await pip(['--version']).catch(() => undefined)
    signal?.throwIfAborted()
    const version = /^pip (\d+)/.exec(said ?? '')?.[1]
    if (version !== undefined) return { run: pip, modern: Number(version) >= 25 }
  }
  throw new Error('no Python with pip was found: `npm run setup` makes one, or install python3 with pip')
}

const report = z.object({
  install: z.tuple([z.object({ download_info: z.object({ url: z.url() }) })]),
})

/** The address of a package's wheel in the index that pip uses; undefined where pip is too old to tell. */
export async function askWheelUrl(pip: Pip, requirement: string): Promise<string | undefined> {
  if (!pip.modern) return undefined
  const args = ['install', '--dry-run', '--ignore-installed', '--quiet', '--report', '-', '--retries', '1']
  const said = await pip.run([...args, ...QUIET, ...NO_OTHERS, requirement])
  const parsed = report.safeParse(parseJson(said))
  return parsed.success ? parsed.data.install[0].download_info.url : undefined
}

/** Lets pip fetch a package's wheel into a folder. @returns its path */
export async function downloadWheel(
  pip: Pip,
  requirement: string,
  folder: string,
  onBytes: (bytes: number) => void,
): Promise<string> {
  const onLine = (line: string): void => {
    const done = /^Progress (\d+) of \d+/.exec(line)?.[1]
    if (done !== undefined) onBytes(Number(done))
  }
  const bar = `--progress-bar=${pip.modern ? 'raw' : 'off'}`
  await pip.run(['download', bar, '--dest', folder, ...QUIET, ...NO_OTHERS, requirement], { onLine })
  const wheel = (await readdir(folder)).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new Error(`pip left no wheel of ${requirement}`)
  return join(folder, wheel)
}

function run(command: string, args: readonly string[], { onLine, signal }: RunOptions): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...(signal && { signal }) })
    const said = { out: '', error: '' }
    child.stdout.setEncoding('utf8').on('data', (text: string) => (said.out += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (said.error += text))
    if (onLine) createInterface({ input: child.stdout }).on('line', onLine)
    child.on('error', reject)
    child.on('close', (code) => {
      if (code === 0) return resolve(said.out)
      const lines = said.error.trim().split('\n')
      const errors = lines.filter((line) => line.startsWith('ERROR'))
      // pip warns of the network and then says that there is no such package.
      const unreached = UNREACHED.test(said.error) ? ['the package index was not reached'] : []
      reject(new Error([...unreached, ...(errors.length > 0 ? errors : lines).slice(-LINES)].join('; ')))
    })
  })
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
