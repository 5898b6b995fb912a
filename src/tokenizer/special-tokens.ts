import type { TextFiles } from '../file/text-files.js'
import { readJson } from './read-file.js'
import type { Json } from './read-file.js'

export type SpecialToken = 'bos_token' | 'eos_token' | 'pad_token' | 'unk_token'

/** Special tokens by role, of tokenizer_config.json or, in older folders, special_tokens_map.json. */
export type SpecialTokens = Partial<Record<SpecialToken, string>>

export async function readSpecialTokens(texts: TextFiles, config: Json): Promise<SpecialTokens> {
  const map = (await readJson(texts, 'special_tokens_map.json')) ?? {}
  const tokens: SpecialTokens = {}
  for (const role of ['bos_token', 'eos_token', 'pad_token', 'unk_token'] as const) {
    // A null in the config is a decision: Qwen has no bos_token.
    const text = tokenText(role in config ? config[role] : map[role])
    if (text !== undefined) tokens[role] = text
  }
  return tokens
}

/** Special tokens are written as a string or as a record. */
function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  if (token !== null && typeof token === 'object' && 'content' in token) return String(token.content)
  return undefined
}

/**
 * Ids that end a generation: of generation_config.json, or config.json, or the tokenizer's own end token.
 * @param vocabSize Ids at or above it cannot be this tokenizer's.
 */
export async function readEndIds(texts: TextFiles, own: number | undefined, vocabSize: number): Promise<number[]> {
  for (const file of ['generation_config.json', 'config.json']) {
    const value = (await readJson(texts, file))?.['eos_token_id']
    if (value === undefined || value === null) continue
    const ids: unknown[] = Array.isArray(value) ? value : [value]
    for (const id of ids) {
      if (!Number.isInteger(id) || (id as number) < 0) {
        throw new Error(`tokenizer ${texts.where}: eos_token_id in ${file} must be ids, got ${JSON.stringify(value)}`)
      }
      if ((id as number) >= vocabSize) {
        throw new Error(
          `tokenizer ${texts.where}: ${file} ends texts with id ${id as number}, tokenizer.json has ${vocabSize} ids; ` +
            'they do not belong together',
        )
      }
    }
    if (ids.length > 0) return ids as number[]
  }
  return own === undefined ? [] : [own]
}
