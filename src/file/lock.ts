import { randomUUID } from 'node:crypto'
import { writeFileSync } from 'node:fs'
import { mkdir, readFile, rm, rmdir, stat } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { z } from 'zod'
import { isRunning, thisProcess } from './process-identity.js'
import type { ProcessIdentity } from './process-identity.js'
import { errorCode, isMissing } from './write-error.js'

/** A lock that this process holds. */
export interface Lock {
  /** @throws {Error} where somebody has taken the lock away meanwhile */
  check(): Promise<void>
  /** Gives it back. Safe to call twice. */
  release(): Promise<void>
}

/** Who holds a lock file, and its one token. */
type Holder = ProcessIdentity & { token: string }

const holderSchema: z.ZodType<Holder> = z.object({
  pid: z.int().min(1),
  host: z.string(),
  started: z.string(),
  token: z.string(),
})

/** A lock file without a holder is of a writer that is about to write its name, or was killed at that moment. */
const NAMELESS_MS = 2000

/** For others that take over at the same time, and for the nameless. */
const PATIENCE_MS = 10_000
const PAUSE_MS = 20

/**
 * Takes a lock: a file that names the process that holds it. The lock of a process that has ended is taken over.
 * @param path of the lock file; its folder must exist
 * @param subject begins the error: `train: saveTo: /runs/one`
 * @throws {Error} where a running process, or one of another host, holds it
 */
export async function takeLock(path: string, subject: string): Promise<Lock> {
  const mine: Holder = { ...(await thisProcess()), token: randomUUID() }
  const end = Date.now() + PATIENCE_MS
  while (Date.now() < end) {
    if (create(path, mine)) return held(path, mine, subject)
    const holder = await readHolder(path)
    if (holder === 'free') continue
    if (holder !== 'nameless') {
      const running = await isRunning(holder)
      if (running !== false) throw new Error(`${subject} ${refusal(path, holder, running)}`)
      await removeDead(path, holder)
    } else if (await isOlder(path, NAMELESS_MS)) await removeDead(path, holder)
    else await sleep(PAUSE_MS)
  }
  throw new Error(`${subject} is being locked by others without end; if none writes it, delete ${path}`)
}

/** True where a running process, or one that nobody here can know of, holds the lock. */
export async function isLocked(path: string): Promise<boolean> {
  const holder = await readHolder(path)
  if (holder === 'free') return false
  return holder === 'nameless' ? !(await isOlder(path, NAMELESS_MS)) : (await isRunning(holder)) !== false
}

function held(path: string, mine: Holder, subject: string): Lock {
  const isMine = async (): Promise<boolean> => {
    const holder = await readHolder(path)
    return typeof holder === 'object' && holder.token === mine.token
  }
  return {
    async check() {
      if (!(await isMine())) throw new Error(`${subject} has lost its lock ${path}: did somebody delete it?`)
    },
    async release() {
      if (await isMine()) await rm(path, { force: true })
    },
  }
}

/** In one go, for a busy cell could hold up this process between the file and the name in it. */
function create(path: string, holder: Holder): boolean {
  try {
    writeFileSync(path, JSON.stringify(holder), { flag: 'wx' })
    return true
  } catch (error) {
    if (errorCode(error) === 'EEXIST') return false
    throw error
  }
}

async function readHolder(path: string): Promise<Holder | 'free' | 'nameless'> {
  try {
    return holderSchema.parse(JSON.parse(await readFile(path, 'utf8')))
  } catch (error) {
    if (isMissing(error)) return 'free'
    if (error instanceof SyntaxError || error instanceof z.ZodError) return 'nameless'
    throw error
  }
}

/**
 * Removes the lock of a process that has ended. Two that found it must not both do so, or the second would remove the
 * lock that the first has taken since: one at a time looks again, and removes it only if it is still the same.
 */
async function removeDead(path: string, dead: Holder | 'nameless'): Promise<void> {
  const guard = `${path}.takeover`
  try {
    await mkdir(guard)
  } catch (error) {
    if (errorCode(error) !== 'EEXIST') throw error
    // Held for a moment only, unless its process was killed in it.
    if (await isOlder(guard, NAMELESS_MS)) await rmdir(guard).catch(() => undefined)
    return sleep(PAUSE_MS)
  }
  try {
    const holder = await readHolder(path)
    if (typeof holder === 'object' && typeof dead === 'object' ? holder.token === dead.token : holder === dead)
      await rm(path, { force: true })
  } finally {
    await rmdir(guard)
  }
}

async function isOlder(path: string, ms: number): Promise<boolean> {
  const found = await stat(path).catch(() => undefined)
  return found !== undefined && Date.now() - found.mtimeMs > ms
}

function refusal(path: string, { pid, host }: Holder, running: boolean | undefined): string {
  if (running === undefined) {
    return `is being written by process ${pid} of ${host}; wait for its end, or, if it no longer runs, delete ${path}`
  }
  if (pid === process.pid) return 'is being written by this process; wait for its end, or choose another folder'
  return `is being written by process ${pid}; wait for its end, or choose another folder`
}
