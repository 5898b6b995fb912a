import { table, type ColumnTable } from 'arquero'
import type { FinetuneRecord } from '../schema/finetune-record.js'
import type { UpdateRecord } from '../schema/update-record.js'
import type { RunSession } from '../schema/run-summary.js'
import { flatFields } from '../train/first-difference.js'
import { lowestHeldOut } from '../train/held-out-loss.js'
import { readRun, shortNames, summarizeRuns } from '../train/read-run.js'
import type { ReadRun } from '../train/read-run.js'

/**
 * The saved runs of `train` and `finetune` below a folder, one row for each: `RunSummary`'s fields as columns, with the best update in three of them. A run
 * that cannot be read is a row with its `fault`.
 * @param folder Looked through with the folders inside it; or the folder of one run.
 * @throws where there is no such folder
 * @example
 * await zs.display(await zs.listRuns('runs'), { sort: '-em' })
 */
export async function listRuns(folder: string): Promise<ColumnTable> {
  const runs = await summarizeRuns(folder)
  const column = <T>(value: (run: (typeof runs)[number]) => T): T[] => runs.map(value)
  return table({
    folder: column((run) => run.folder),
    status: column((run) => run.status),
    kind: column((run) => run.kind),
    algorithm: column((run) => run.algorithm),
    model: column((run) => run.model),
    updates: column((run) => run.updates),
    planned: column((run) => run.planned),
    reward: column((run) => run.reward),
    em: column((run) => run.em),
    heldOutLoss: column((run) => run.heldOutLoss),
    bestMetric: column((run) => run.best?.metric ?? null),
    best: column((run) => run.best?.value ?? null),
    bestUpdate: column((run) => run.best?.update ?? null),
    seconds: column((run) => run.seconds),
    seed: column((run) => run.seed),
    started: column((run) => run.started),
    fault: column((run) => run.fault),
  })
}

/**
 * What differs between saved runs: a row for each setting, input and circumstance that is not the same in all of them, and for
 * each result of the last update, or step. `part` is `setting`, `origin` or `result`, `name` what it is; each run has a column of texts,
 * named as its folder.
 * @param folders Of at least two runs.
 * @throws where one of them is no run, or is damaged
 * @example
 * await zs.display(await zs.compareRuns(['runs/grpo', 'runs/ppo']))
 */
export async function compareRuns(folders: readonly string[]): Promise<ColumnTable> {
  const isList = (value: unknown): boolean => Array.isArray(value) && value.length >= 2
  if (!isList(folders) || new Set(folders).size !== folders.length) {
    throw new Error(
      `compare runs: there must be a list of at least two folders of runs, each once, got ${JSON.stringify(folders)}`,
    )
  }
  const runs: ReadRun[] = []
  for (const folder of folders) runs.push(await readRun(folder, 'compare runs'))
  const rows = [
    ...differing(
      'setting',
      runs.map(({ file }) => flatFields(file.manifest)),
    ),
    ...differing('origin', runs.map(originOf)),
    ...all('result', runs.map(resultsOf)),
  ]
  const names = shortNames(folders).map((name) => (name === 'part' || name === 'name' ? `${name} (run)` : name))
  return table([
    ['part', rows.map(({ part }) => part)],
    ['name', rows.map(({ name }) => name)],
    ...names.map((name, i): [string, Cell[]] => [name, rows.map(({ cells }) => cells[i]!)]),
  ])
}

type Cell = string | null

interface Row {
  part: string
  name: string
  cells: Cell[]
}

function all(part: string, runs: readonly ReadonlyMap<string, unknown>[]): Row[] {
  const names = [...new Set(runs.flatMap((fields) => [...fields.keys()]))]
  return names.map((name) => ({ part, name, cells: runs.map((fields) => cell(fields.get(name), part === 'result')) }))
}

const differing = (part: string, runs: readonly ReadonlyMap<string, unknown>[]): Row[] =>
  all(part, runs).filter(({ cells }) => cells.some((value) => !Object.is(value, cells[0])))

/** Texts, for a column has counts, shares and names below each other. A setting is exact, a result has four digits. */
function cell(value: unknown, isResult: boolean): Cell {
  if (value === undefined || value === null) return null
  if (typeof value === 'string') return value
  if (typeof value !== 'number') return JSON.stringify(value) ?? null
  return String(isResult && !Number.isInteger(value) ? Number(value.toPrecision(4)) : value)
}

/** Of the process that began the run. */
function originOf({ file }: ReadRun): Map<string, unknown> {
  const { started: _, updatesBefore: __, ...session } = file.sessions[0] ?? ({} as Partial<RunSession>)
  return flatFields({ ...(file.model && { model: file.model }), ...session })
}

function resultsOf(run: ReadRun): Map<string, unknown> {
  const results = run.kind === 'train' ? trainResults(run) : finetuneResults(run)
  return new Map([...Object.entries(results), ['seconds', run.seconds]])
}

function finetuneResults({ file, records }: ReadRun & { kind: 'finetune' }): Record<string, unknown> {
  const measured = records.findLast(({ heldOutLoss }) => heldOutLoss !== undefined)
  const { loss, epoch } = records.at(-1) ?? ({} as Partial<FinetuneRecord>)
  const best = lowestHeldOut(records)
  return {
    ...{ steps: file.updates, epoch, loss, heldOutLoss: measured?.heldOutLoss },
    ...(best && { 'lowest heldOutLoss': best.loss, 'lowest heldOutLoss, step': best.step }),
  }
}

function trainResults({ file, last }: ReadRun & { kind: 'train' }): Record<string, unknown> {
  const { reward, em, answered, searchesPerQuestion, tokensPerTrajectory, kl, failed, metrics } =
    last ?? ({} as Partial<UpdateRecord>)
  const results = { updates: file.updates, reward, em, answered, searchesPerQuestion, tokensPerTrajectory, kl, failed }
  const scalars = Object.entries(metrics ?? {}).filter(([, value]) => typeof value === 'number')
  return {
    ...results,
    ...Object.fromEntries(scalars.map(([name, value]) => [`metrics.${name}`, value])),
    ...(file.best && {
      [`best ${file.best.metric}`]: file.best.value,
      [`best ${file.best.metric}, update`]: file.best.update,
    }),
  }
}
