import { execFile } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** What this process is made of, for what it leaves in a folder; nothing of it names a user or a host. */
export interface ProcessSession {
  /** When it began its work, ISO 8601. */
  started: string
  /** Version of this package. */
  zerosearch: string
  node: string
  /** Of the working folder, where git knows it. */
  git?: { commit: string; dirty: boolean }
  machine: { platform: string; arch: string; cpu: string; cores: number; memoryBytes: number }
}

export async function processSession(): Promise<ProcessSession> {
  const git = await gitState()
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const processors = cpus()
  return {
    started: new Date().toISOString(),
    zerosearch: version,
    node: process.versions.node,
    ...(git && { git }),
    machine: {
      platform: process.platform,
      arch: process.arch,
      cpu: processors[0]?.model ?? 'unknown',
      cores: processors.length,
      memoryBytes: totalmem(),
    },
  }
}

/** Undefined where the working folder is in no repository, or git is not there. */
async function gitState(): Promise<ProcessSession['git']> {
  // Taking no lock, it disturbs no git command of the user's.
  const git = async (...args: string[]): Promise<string> =>
    (await run('git', ['--no-optional-locks', ...args], { timeout: 10_000, maxBuffer: 1 << 26 })).stdout.trim()
  try {
    const commit = await git('rev-parse', '--verify', 'HEAD')
    return { commit, dirty: (await git('status', '--porcelain', '--untracked-files=no')) !== '' }
  } catch {
    return undefined
  }
}
