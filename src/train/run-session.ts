import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { promisify } from 'node:util'
import { downloadWeights } from '../model/weights.js'
import type { RunSession } from '../schema/run-summary.js'
import { native } from '../tensor/runtime.js'
import type { Trainable } from './loss-function.js'

const run = promisify(execFile)

/** What this process is made of, for the run that it works on; nothing of it names a user or a host. */
export async function runSession(updatesBefore: number): Promise<RunSession> {
  const git = await gitState()
  const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
    version: string
  }
  const processors = cpus()
  return {
    started: new Date().toISOString(),
    updatesBefore,
    zerosearch: version,
    node: process.versions.node,
    tensorflow: native.TF_Version,
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
async function gitState(): Promise<RunSession['git']> {
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

/** Bytes that are hashed in one go: a few milliseconds, in which nothing else happens. */
const BLOCK = 1 << 22

/**
 * What identifies the weights of a model: SHA-256 of the names, shapes and float32 values of all of them, an adapter's
 * included, its first 12 digits.
 */
export async function weightsDigest({ weights, adapter }: Pick<Trainable, 'weights' | 'adapter'>): Promise<string> {
  const digest = createHash('sha256')
  for (const part of [weights, adapter?.weights ?? {}]) {
    for await (const { key, shape, data } of downloadWeights(part)) {
      digest.update(`${key} [${shape.join()}]\n`)
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      for (let place = 0; place < bytes.length; place += BLOCK) {
        digest.update(bytes.subarray(place, place + BLOCK))
        await nextTurn()
      }
    }
  }
  return digest.digest('hex').slice(0, 12)
}
