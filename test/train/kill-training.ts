import { spawn } from 'node:child_process'
import type { ChildProcessByStdio } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { untimed } from './tiny-policy.js'

/** What is trained, and by which process. */
export const TRAINEES = {
  tiny: 'trainee.ts',
  mini: 'trainee.ts',
  ppo: 'sampling-trainee.ts',
  dapo: 'sampling-trainee.ts',
  adapter: 'sampling-trainee.ts',
  finetune: 'sampling-trainee.ts',
} as const
const PRELOAD = join(import.meta.dirname, '../../kernel/preload.cjs')

export interface Training {
  model: keyof typeof TRAINEES
  updates: number
  /** A kill from outside comes so many milliseconds after the first sign of the process, at most. */
  span: number
}

/**
 * Trains in a folder; the process is killed at a random moment, or right after one of its renames, and begun anew, until
 * the run is at its end or it has been killed so many times, after which it is left alone.
 * @returns how many times it was killed
 */
export async function trainWithKills(
  folder: string,
  training: Training,
  kills: number,
  random: () => number,
): Promise<number> {
  for (let killed = 0; ; killed++) {
    const left = killed < kills
    const itself = left && killed % 2 === 1 ? [String(1 + Math.floor(random() * 40))] : []
    const last = await runTrainee(
      folder,
      training,
      itself,
      left && itself.length === 0 ? random() * training.span : undefined,
    )
    if (last === 'done') return killed
    if (!left) throw new Error(`the training in ${folder} did not end, its last line is: ${last}`)
  }
}

/** @returns the last line that it printed */
async function runTrainee(
  folder: string,
  training: Training,
  itself: readonly string[],
  killAfterMs: number | undefined,
): Promise<string> {
  const { child, ended } = startTrainee(training, folder, itself)
  let kill: NodeJS.Timeout | undefined
  if (killAfterMs !== undefined)
    child.stdout.once('data', () => (kill = setTimeout(() => child.kill('SIGKILL'), killAfterMs)))
  const text = await ended
  clearTimeout(kill)
  return text.trim().split('\n').at(-1)!
}

/** Begins a training in another process; `ended` is what it printed. */
export function startTrainee(
  { model, updates }: Pick<Training, 'model' | 'updates'>,
  folder: string,
  itself: readonly string[] = [],
): { child: ChildProcessByStdio<null, Readable, Readable>; ended: Promise<string> } {
  const trainee = join(import.meta.dirname, TRAINEES[model])
  const args = ['--require', PRELOAD, '--import', 'tsx', trainee, model, folder, String(updates), ...itself]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  let [text, faults] = ['', '']
  child.stdout.on('data', (chunk: Buffer) => (text += chunk.toString()))
  child.stderr.on('data', (chunk: Buffer) => (faults += chunk.toString()))
  const ended = new Promise<string>((resolve, reject) =>
    child.once('close', (code, signal) => {
      if (code === 0 || signal === 'SIGKILL') resolve(text)
      else reject(new Error(`the training in ${folder} failed: ${faults}`))
    }),
  )
  return { child, ended }
}

/** The state of a saved run and its trajectories, byte by byte, and what it measured without what a clock says. */
export function runIn(folder: string): {
  state: [name: string, content: string][]
  run: object
  steps: number[]
  records: object[]
} {
  const names = readdirSync(folder, { recursive: true, encoding: 'utf8' }).sort()
  const kept = names.filter((name) => !name.startsWith('previous') && /\.safetensors$|^trajectories.*\.\w+$/.test(name))
  const recorded = names.includes('metrics.jsonl') ? 'metrics.jsonl' : 'updates.jsonl'
  const lines = readFileSync(join(folder, recorded), 'utf8').trim().split('\n')
  const { sessions: _, ...run } = JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as { sessions: unknown }
  return {
    state: kept.map((name) => [name, readFileSync(join(folder, name)).toString('base64')]),
    run,
    steps: names.includes('tensorboard') ? stepsIn(eventFileIn(folder)) : [],
    records: untimed(lines.map((line) => ({ ...(JSON.parse(line) as UpdateRecord), seconds: 0 }))),
  }
}

/** The path of the one event file that a run has. */
export function eventFileIn(folder: string): string {
  const names = existsSync(join(folder, 'tensorboard')) ? readdirSync(join(folder, 'tensorboard')) : []
  if (names.length !== 1) throw new Error(`${folder} has ${names.length} event files: ${names.join(', ')}`)
  return join(folder, 'tensorboard', names[0]!)
}

/** Steps in an event file, in order; each frame has to be whole. */
export function stepsIn(path: string): number[] {
  const bytes = readFileSync(path)
  const steps: number[] = []
  let place = 0
  while (place < bytes.length) {
    const length = Number(bytes.readBigUInt64LE(place))
    const data = bytes.subarray(place + 12, place + 12 + length)
    if (data.length < length) throw new Error(`${path} is cut off`)
    // Behind the wall time: the step as a varint of one byte, or the file's version.
    if (data[9] === 0x10) steps.push(data[10]!)
    place += 16 + length
  }
  return steps
}
