import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { judgeOf } from './judge.js'
import type { UsefulIf } from './label.js'
import { OPERATION } from './options.js'
import type { CheckedSimulatorData } from './options.js'

/** The settings of the data. The first four decide what is played: a resumed run must have the same. */
export interface DataSettings {
  model: string
  method: string
  searchEngine: string
  seed: number
  rollouts: number
  judge: string
  words: number
  usefulIf: UsefulIf
  maxPerQuestion: number
  balance: boolean
  heldOut: number
}

/** `manifest.json`. */
export interface DataManifest {
  /** `collecting` until the examples are written. */
  state: 'collecting' | 'complete'
  settings: DataSettings
  /** SHA-256 of each file but the journal, by its name. */
  files: Record<string, string>
  counts?: unknown
}

export const MANIFEST = 'manifest.json'

const PLAYED = ['model', 'method', 'searchEngine', 'seed'] as const

export function settingsOf(options: CheckedSimulatorData, method: string): DataSettings {
  const { model, searchEngine, seed, rollouts, words, usefulIf, maxPerQuestion, balance, heldOut } = options
  const names = { model: model.name, method, searchEngine: searchEngine.name, judge: judgeOf(options.judge).name }
  return { ...names, seed, rollouts, words, usefulIf, maxPerQuestion, balance, heldOut }
}

/** JSON knows no Infinity. */
export const manifestText = (manifest: DataManifest): string =>
  `${JSON.stringify(manifest, (_, value: unknown) => (value === Infinity ? 'Infinity' : value), 2)}\n`

const schema = z.object({
  settings: z.object({ model: z.string(), method: z.string(), searchEngine: z.string(), seed: z.int() }),
})

/** @throws {Error} where the folder holds nothing to go on with, or what others played */
export async function checkResumable(folder: string, settings: DataSettings): Promise<void> {
  const text = await readFile(join(folder, MANIFEST), 'utf8').catch((error: unknown) => {
    throw new Error(`${OPERATION}: there is nothing to resume in ${folder}; leave \`resume\` out to begin`, {
      cause: error,
    })
  })
  const { data } = schema.safeParse(jsonOf(text))
  if (!data)
    throw new Error(
      `${OPERATION}: ${join(folder, MANIFEST)} is damaged; \`overwrite: true\` instead of \`resume\` begins anew`,
    )
  const other = PLAYED.find((name) => data.settings[name] !== settings[name])
  if (other === undefined) return
  throw new Error(
    `${OPERATION}: ${other} must be that of the data in ${folder}, ${JSON.stringify(data.settings[other])}, got ` +
      `${JSON.stringify(settings[other])}; choose another folder, or begin anew with \`overwrite: true\``,
  )
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
