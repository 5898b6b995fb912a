import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { readJsonl } from '../file/jsonl.js'
import type { RunDifference } from '../schema/run-summary.js'
import { readRun } from './read-run.js'
import { firstDifference, flatFields } from './first-difference.js'
import { FINETUNING, TRAINING, recordLineOf } from './run-file.js'
import type { RunKind } from './run-file.js'
import { readTrajectories, trajectoryFileOf } from './trajectory-files.js'
import type { SavedTrajectory } from './trajectory-files.js'

/**
 * Says where two runs of `train`, or of `finetune`, first part: the first update or step and field whose values differ, and, where both saved their trajectories, the
 * first trajectory and token. What a clock or the machine says, and what kind of a file a run kept, makes no difference.
 * @param a Folder of the first run.
 * @param b Folder of the second run.
 * @throws where one of them is no run, or is damaged, or they are of two kinds
 * @example
 * await zs.display(await zs.diffRuns('runs/first', 'runs/again'))
 */
export async function diffRuns(a: string, b: string): Promise<RunDifference> {
  const runs = [await readRun(a, 'diff runs'), await readRun(b, 'diff runs')] as const
  const { kind } = runs[0]
  if (kind !== runs[1].kind)
    throw new Error(`diff runs: both must be of train or of finetune; ${a} is of ${kind}, ${b} of ${runs[1].kind}`)
  const { unit } = kind === 'train' ? TRAINING : FINETUNING
  const [first, second] =
    kind === 'train'
      ? [await recordsOf(a, TRAINING), await recordsOf(b, TRAINING)]
      : [await recordsOf(a, FINETUNING), await recordsOf(b, FINETUNING)]
  const compared = Math.min(first.length, second.length)
  const settings = differentSettings(runs[0].file.manifest, runs[1].file.manifest)
  if (runs[0].file.model?.digest !== runs[1].file.model?.digest) settings.push('model')
  let record: RunDifference['record']
  for (let i = 0; i < compared && !record; i++) {
    const found = firstDifference(first[i]!, second[i]!, (name) => CLOCK.test(name))
    if (found) record = { update: i + 1, ...found }
  }
  const trajectory = await firstTrajectory(a, b, record?.update ?? compared)
  const identical = !record && !trajectory && first.length === second.length
  const found = { identical, compared, settings, ...(record && { record }), ...(trajectory && { trajectory }) }
  return { conclusion: conclude(found, [first.length, second.length], unit), ...found }
}

const recordsOf = <R extends object>(folder: string, { records, record, unit }: RunKind<R>): Promise<R[]> =>
  readJsonl(join(folder, records), recordLineOf(record), `${unit}s`)

/** Names of what differs between two runs that compute the same, wherever they stand in a record. */
const CLOCK = /(^seconds|Seconds|PerSecond|Bytes)$/

function differentSettings(a: object, b: object): string[] {
  const [first, second] = [flatFields(a), flatFields(b)]
  return [...new Set([...first.keys(), ...second.keys()])].filter(
    (name) => JSON.stringify(first.get(name)) !== JSON.stringify(second.get(name)),
  )
}

/** Of the updates up to one, the first trajectory that differs; undefined where none does, or one run saved none. */
async function firstTrajectory(a: string, b: string, last: number): Promise<RunDifference['trajectory']> {
  for (let update = 1; update <= last; update++) {
    const paths = [await trajectoryFileOf(a, update), await trajectoryFileOf(b, update)] as const
    if (!paths[0] || !paths[1]) continue
    const [one, other] = [await readFile(paths[0]), await readFile(paths[1])]
    if (one.equals(other)) continue
    const [first, second] = [await readTrajectories(a, update), await readTrajectories(b, update)]
    for (let rollout = 0; rollout < Math.max(first.length, second.length); rollout++) {
      const [mine, its] = [first[rollout], second[rollout]]
      const questionId = (mine ?? its)!.question.id
      if (!mine || !its)
        return { update, rollout, questionId, field: 'rollout', values: [mine && rollout, its && rollout] }
      const found = firstDifference(tokensFirst(mine), tokensFirst(its))
      if (!found) continue
      const [, field, token] = /^(ids|lossMask|logprobs)\.(\d+)$/.exec(found.field) ?? []
      return {
        ...{ update, rollout, questionId },
        ...(field === undefined ? found : { field, token: Number(token), values: found.values }),
      }
    }
  }
  return undefined
}

/** What was asked, then the tokens: all else follows from them. */
function tokensFirst({ question, seed, promptLength, ids, logprobs, ...rest }: SavedTrajectory): object {
  return { question, seed, promptLength, ids, logprobs, ...rest }
}

function conclude(
  found: Omit<RunDifference, 'conclusion'>,
  counts: readonly [number, number],
  unit: 'update' | 'step',
): string {
  const { record, trajectory, settings, compared } = found
  const under = settings.length === 0 ? 'same settings and inputs' : `different ${settings.join(', ')}`
  const parts: string[] = []
  if (record) {
    const [mine, its] = record.values.map(shown)
    parts.push(`The runs part in ${unit} ${record.update}: ${record.field} is ${mine} and ${its}.`)
  } else {
    const length = counts[0] === counts[1] ? '' : ` The first run has ${counts[0]} ${unit}s, the second ${counts[1]}.`
    parts.push(`The records of ${compared} ${unit}s are identical.${length}`)
  }
  if (trajectory) {
    const { update, rollout, questionId, field, token, values } = trajectory
    const [mine, its] = values.map(shown)
    const place = token === undefined ? '' : ` of token ${token}`
    parts.push(
      `Their trajectories part in update ${update}, rollout ${rollout} (question ${questionId}): ${field}${place} is ${mine} and ${its}.`,
    )
  }
  return `${parts.join(' ')} They have ${under}.`
}

const shown = (value: unknown): string => {
  const text = typeof value === 'number' ? String(value) : (JSON.stringify(value) ?? 'absent')
  return text.length > 80 ? `${text.slice(0, 80)}…` : text
}
