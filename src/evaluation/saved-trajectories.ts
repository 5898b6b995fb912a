import { join } from 'node:path'
import { writeJsonl } from '../file/jsonl.js'
import { readLines } from '../file/read-lines.js'
import { recoverFolder } from '../file/write-folder.js'
import { trajectorySchema } from '../schema/record-schemas.js'
import type { Trajectory } from '../schema/trajectory.js'
import { FILES, scoreKey } from './results-file.js'

/** How a method played a question, as an evaluation keeps it. */
export interface EvaluatedTrajectory extends Trajectory {
  /** Name of the method. */
  method: string
}

/** Of a question that was asked again, the trajectory of the last time alone. */
export async function dropRepeatedTrajectories(folder: string): Promise<void> {
  const path = join(folder, FILES.trajectories)
  const { last, lines } = await lastLines(path)
  if (last.size < lines) await writeJsonl(path, chosen(path, last))
}

/**
 * The trajectories that an evaluation with `trajectories: true` keeps, one after the other, in the order in which they ended; the
 * file need not fit into the memory.
 * @param folder As `saveTo` named it.
 * @throws where there are none, or one of them is damaged
 * @example
 * for await (const { method, question, answer } of zs.streamEvaluated('results/first')) console.log(method, question.id, answer)
 */
export async function* streamEvaluated(folder: string): AsyncGenerator<EvaluatedTrajectory, void, undefined> {
  await recoverFolder(folder)
  const path = join(folder, FILES.trajectories)
  const { last } = await lastLines(path)
  for await (const value of chosen(path, last)) {
    const { method } = value as { method: string }
    const result = trajectorySchema.safeParse(value)
    if (!result.success) throw new Error(`read trajectories ${path}: ${result.error.issues[0]!.message}`)
    yield { method, ...result.data }
  }
}

/** The number of the last line of each question and method. */
async function lastLines(path: string): Promise<{ last: Map<string, number>; lines: number }> {
  const last = new Map<string, number>()
  let lines = 0
  for await (const { value, number } of linesOf(path)) {
    lines++
    const { method, question } = (value ?? {}) as Partial<EvaluatedTrajectory>
    if (typeof method === 'string' && question) last.set(scoreKey(method, question.dataset, question.id), number)
  }
  return { last, lines }
}

async function* chosen(path: string, last: ReadonlyMap<string, number>): AsyncGenerator<unknown> {
  const numbers = new Set(last.values())
  for await (const { value, number } of linesOf(path)) if (numbers.has(number)) yield value
}

/** Whole lines; the value of a damaged one is undefined. */
async function* linesOf(path: string): AsyncGenerator<{ value: unknown; number: number }> {
  for await (const { first, lines } of readLines(path, 'trajectories', undefined, true))
    for (const [i, line] of lines.entries()) yield { value: parsed(line), number: first + i }
}

function parsed(line: string): unknown {
  try {
    return JSON.parse(line)
  } catch {
    return undefined
  }
}
