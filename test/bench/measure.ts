// One measurement of a benchmark in a process of its own, on either side.
import { spawnSync } from 'node:child_process'
import { fileURLToPath } from 'node:url'

const here = fileURLToPath(new URL('./', import.meta.url))
const root = fileURLToPath(new URL('../../', import.meta.url))

/** What a process measured. */
export interface Measured {
  /** Median of the calls after the first. */
  ms: number
  firstMs: number
  /** A call with sequences of another length, after the first ones. */
  otherLengthMs?: number
  /** Of an update, what was not sampling. */
  learnMs?: number
  /** Most memory that the process had resident. */
  peakBytes?: number
}

type Options = Record<string, number | boolean | string>

/** This project's side. */
export const measureOwn = (kind: string, folder: string, options: Options): Measured =>
  measure(`${root}node_modules/.bin/tsx`, [`${here}measure-own.ts`, kind, folder, JSON.stringify(options)])

/** That of torch, transformers and TRL. */
export const measureTorch = (kind: string, folder: string, options: Options): Measured =>
  measure(`${root}.parity/venv/bin/python`, [`${here}measure_torch.py`, kind, folder, JSON.stringify(options)])

function measure(command: string, args: string[]): Measured {
  const result = spawnSync(command, args, { cwd: root, encoding: 'utf8', maxBuffer: 1e8 })
  const lines = result.stdout?.trim().split('\n') ?? []
  const line = lines.findLast((each) => each.startsWith('{"ms"'))
  if (result.status !== 0 || line === undefined)
    throw new Error(`bench: ${args.join(' ')} failed:\n${result.stderr?.slice(-2000)}`)
  return JSON.parse(line) as Measured
}
