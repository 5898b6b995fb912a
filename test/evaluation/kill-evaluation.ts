import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { recoverFolder } from '../../src/file/write-folder.js'

const EVALUEE = join(import.meta.dirname, 'evaluee.ts')

/** How many questions of `evaluee.ts` are in flight, and how many are asked in all: 60 by each of two methods. */
export const IN_FLIGHT = 4
export const ASKED = 120

/**
 * Evaluates in a folder; the process is killed at a random moment after its first question, or right after one of its renames,
 * and begun anew, until it comes to its end or has been killed so many times, after which it is left alone.
 * @returns how many times it was killed
 */
export async function evaluateWithKills(
  folder: string,
  log: string,
  kills: number,
  random: () => number,
): Promise<number> {
  for (let killed = 0; ; killed++) {
    const left = killed < kills
    const itself = left && killed % 3 === 2 ? [String(1 + Math.floor(random() * 6))] : []
    const child = spawn(process.execPath, ['--import', 'tsx', EVALUEE, folder, log, ...itself], {
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let [said, faults] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (said += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (faults += chunk.toString()))
    const ended = new Promise<NodeJS.Signals | null>((resolve) => child.once('close', (_, signal) => resolve(signal)))
    let watching: NodeJS.Timeout | undefined
    if (left && itself.length === 0) {
      const before = sizeOf(log)
      watching = setInterval(() => {
        if (sizeOf(log) === before) return
        clearInterval(watching)
        setTimeout(() => child.kill('SIGKILL'), random() * 150)
      }, 2)
    }
    const signal = await ended
    clearInterval(watching)
    await recoverFolder(folder)
    if (signal === null && said.includes('done')) return killed
    if (signal !== 'SIGKILL') throw new Error(`the evaluation in ${folder} failed: ${faults}`)
    if (!left) throw new Error(`the evaluation in ${folder} was killed by somebody else`)
  }
}

const sizeOf = (log: string): number => (existsSync(log) ? readFileSync(log).length : 0)

/** What the folder's files hold, without what a clock or the process says. */
export function resultsIn(folder: string): { scores: unknown[]; trajectories: unknown[] } {
  const lines = (name: string): Record<string, unknown>[] =>
    readFileSync(join(folder, name), 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Record<string, unknown>)
  const scores = lines('scores.jsonl').map((score) => ({ ...score, seconds: 0 }))
  const trajectories = lines('trajectories.jsonl').map((one) => JSON.stringify(one))
  return { scores, trajectories: trajectories.sort() }
}

/** How often each question was asked. */
export function askedIn(log: string): number {
  return readFileSync(log, 'utf8').trim().split('\n').length
}
