import { readFile } from 'node:fs/promises'
import { join } from 'node:path'

export type Json = Record<string, unknown>

/** A text of a model folder; undefined where there is no such file. */
export async function readText(folder: string, file: string): Promise<string | undefined> {
  try {
    return await readFile(join(folder, file), 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw new Error(`tokenizer ${folder}: cannot read ${file}`, { cause: error })
  }
}

/** A JSON object of a model folder; undefined where there is no such file. */
export async function readJson(folder: string, file: string): Promise<Json | undefined> {
  const text = await readText(folder, file)
  if (text === undefined) return undefined
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`tokenizer ${folder}: ${file} is not JSON; fetch it again`, { cause: error })
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new Error(`tokenizer ${folder}: ${file} must hold an object; fetch it again`)
  }
  return json as Json
}
