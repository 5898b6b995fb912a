import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Template } from '@huggingface/jinja'
import { Tokenizer as UntypedTokenizer } from '@huggingface/tokenizers'
import type { Message, Tokenizer } from './tokenizer.js'

type Json = Record<string, unknown>

/** What is used of the package, whose own types do not resolve in this module system. */
interface HuggingFaceTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] }
  decode(ids: number[], options: { skip_special_tokens: boolean }): string
  token_to_id(token: string): number | undefined
}
const HuggingFaceTokenizer = UntypedTokenizer as unknown as new (definition: Json, config: Json) => HuggingFaceTokenizer

/**
 * Loads the tokenizer of a model folder: tokenizer.json and tokenizer_config.json, the chat template (of its own file
 * or of the config), and the ids that end a generation.
 */
export async function loadTokenizer(folder: string): Promise<Tokenizer> {
  const definition = await readJson(folder, 'tokenizer.json')
  if (!definition)
    throw new Error(`tokenizer ${folder}: tokenizer.json is missing; slow tokenizers must be converted first`)
  const config = (await readJson(folder, 'tokenizer_config.json')) ?? {}
  const inner = new HuggingFaceTokenizer(definition, config)
  const vocabSize = vocabularySize(definition)
  const eosIds = await endIds(folder, inner, config)
  const pad = tokenText(config['pad_token'])
  const padId = (pad !== undefined ? inner.token_to_id(pad) : undefined) ?? eosIds[0] ?? 0
  const template = await chatTemplate(folder, config)
  return {
    vocabSize,
    eosIds,
    padId,
    hasChatTemplate: template !== undefined,
    encode: (text) => (text === '' ? [] : inner.encode(text, { add_special_tokens: false }).ids),
    decode(ids, skipSpecial = false) {
      const wrong = ids.find((id) => !(id >= 0 && id < vocabSize))
      if (wrong !== undefined) {
        throw new Error(
          `decode: ids must be below ${vocabSize} (the vocabulary), got ${wrong}; is this the model's tokenizer?`,
        )
      }
      return ids.length === 0 ? '' : inner.decode([...ids], { skip_special_tokens: skipSpecial })
    },
    renderPrompt: (messages) =>
      template ? renderTemplate(template, messages, config) : messages.map((m) => m.content).join('\n\n'),
  }
}

/** Ids of the vocabulary and of added tokens together. */
function vocabularySize(definition: Json): number {
  const model = definition['model'] as { vocab: Record<string, number> }
  const added = (definition['added_tokens'] ?? []) as { id: number }[]
  return 1 + Math.max(...Object.values(model.vocab), ...added.map((token) => token.id))
}

async function endIds(folder: string, tokenizer: HuggingFaceTokenizer, config: Json): Promise<number[]> {
  for (const file of ['generation_config.json', 'config.json']) {
    const ids = (await readJson(folder, file))?.['eos_token_id']
    if (typeof ids === 'number') return [ids]
    if (Array.isArray(ids) && ids.length > 0) return ids as number[]
  }
  const text = tokenText(config['eos_token'])
  const id = text === undefined ? undefined : tokenizer.token_to_id(text)
  return id === undefined ? [] : [id]
}

/** Special tokens are written as a string or as a record. */
function tokenText(token: unknown): string | undefined {
  if (typeof token === 'string') return token
  if (token !== null && typeof token === 'object' && 'content' in token) return String(token.content)
  return undefined
}

async function chatTemplate(folder: string, config: Json): Promise<Template | undefined> {
  const file = await readFile(join(folder, 'chat_template.jinja'), 'utf8').catch(() => undefined)
  const own = config['chat_template']
  // Some configs list several templates by name.
  const listed = Array.isArray(own)
    ? (own as { name: string; template: string }[]).find((t) => t.name === 'default')?.template
    : own
  const source = file ?? listed
  return typeof source === 'string' ? new Template(source) : undefined
}

function renderTemplate(template: Template, messages: readonly Message[], config: Json): string {
  return template.render({
    messages: messages.map((message) => ({ ...message })),
    add_generation_prompt: true,
    bos_token: tokenText(config['bos_token']) ?? '',
    eos_token: tokenText(config['eos_token']) ?? '',
  })
}

async function readJson(folder: string, file: string): Promise<Json | undefined> {
  let text: string
  try {
    text = await readFile(join(folder, file), 'utf8')
  } catch {
    return undefined
  }
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    throw new Error(`tokenizer ${folder}: ${file} is no JSON; fetch it again`, { cause: error })
  }
}
