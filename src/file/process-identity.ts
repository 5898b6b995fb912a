import { readFile } from 'node:fs/promises'
import { hostname } from 'node:os'

/** A process that no other, before or after, is taken for. */
export interface ProcessIdentity {
  pid: number
  host: string
  /** Tells it from a later process of the same number: the machine's boot and the time since; '' where unknown. */
  started: string
}

export async function thisProcess(): Promise<ProcessIdentity> {
  return { pid: process.pid, host: hostname(), started: (await startOf(process.pid)) ?? '' }
}

/** False where the process has ended; undefined where it is of another host, so that nobody here can know. */
export async function isRunning({ pid, host, started }: ProcessIdentity): Promise<boolean | undefined> {
  if (host !== hostname()) return undefined
  try {
    process.kill(pid, 0)
  } catch (error) {
    // EPERM: it runs, and is somebody else's.
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false
  }
  const now = await startOf(pid)
  if (now === undefined) return false
  return started === '' || now === '' || now === started
}

/** When a process began, on Linux; '' elsewhere, undefined where it has ended. */
async function startOf(pid: number): Promise<string | undefined> {
  if (process.platform !== 'linux') return ''
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => undefined)
  if (stat === undefined) return undefined
  // The name in brackets may hold anything; behind it: state, …, and as the 20th the ticks from the boot to the start.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
  if (fields[0] === 'Z' || fields[0] === 'X') return undefined
  const boot = await readFile('/proc/sys/kernel/random/boot_id', 'utf8').catch(() => '')
  return `${boot.trim()} ${fields[19]}`
}
