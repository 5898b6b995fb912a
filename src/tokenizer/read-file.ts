import type { TextFiles } from '../file/text-files.js'

export type Json = Record<string, unknown>

/** A JSON object of a model's texts; undefined where there is no such file. */
export async function readJson(texts: TextFiles, file: string): Promise<Json | undefined> {
  const text = await texts.read(file)
  if (text === undefined) return undefined
  let json: unknown
  try {
    json = JSON.parse(text)
  } catch (error) {
    throw new Error(`tokenizer ${texts.where}: ${file} is not JSON; fetch it again`, { cause: error })
  }
  if (json === null || typeof json !== 'object' || Array.isArray(json)) {
    throw new Error(`tokenizer ${texts.where}: ${file} must hold an object; fetch it again`)
  }
  return json as Json
}
