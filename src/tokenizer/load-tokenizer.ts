import { Tokenizer as UntypedTokenizer } from '@huggingface/tokenizers'
import { folderTexts } from '../file/text-files.js'
import type { TextFiles } from '../file/text-files.js'
import { readChatTemplate } from './chat-template.js'
import { readJson } from './read-file.js'
import type { Json } from './read-file.js'
import { readEndIds, readSpecialTokens } from './special-tokens.js'
import type { Tokenizer } from './tokenizer.js'

/** What is used of the package, whose own types do not resolve in this module system. */
interface HuggingFaceTokenizer {
  encode(text: string, options: { add_special_tokens: boolean }): { ids: number[] }
  decode(ids: number[], options: { skip_special_tokens: boolean; clean_up_tokenization_spaces: boolean }): string
  token_to_id(token: string): number | undefined
}
const HuggingFaceTokenizer = UntypedTokenizer as unknown as new (definition: Json, config: Json) => HuggingFaceTokenizer

/**
 * Loads the tokenizer of a model folder: tokenizer.json and tokenizer_config.json, the chat template (of its own file
 * or of the config), and the ids that end a generation.
 * @param folder In Hugging Face's layout; `resolveModel` gives that of a model of the hub.
 * @throws where tokenizer.json is missing or broken, or other files of the folder belong to another tokenizer
 * @example
 * const tokenizer = await zs.loadTokenizer(zs.mini.checkpoint('policy'))
 * console.log(tokenizer.decode(tokenizer.encode('Where is Lima?')))
 */
export function loadTokenizer(folder: string): Promise<Tokenizer> {
  return readTokenizer(folderTexts(folder))
}

/** The tokenizer that a model's texts describe. */
export async function readTokenizer(texts: TextFiles): Promise<Tokenizer> {
  const { where } = texts
  const definition = await readJson(texts, 'tokenizer.json')
  if (!definition)
    throw new Error(`tokenizer ${where}: tokenizer.json is missing; slow tokenizers must be converted first`)
  const config = (await readJson(texts, 'tokenizer_config.json')) ?? {}
  const vocabSize = vocabularySize(where, definition)
  const inner = construct(where, definition, config)
  const special = await readSpecialTokens(texts, config)
  const idOf = (token: string | undefined): number | undefined =>
    token === undefined ? undefined : inner.token_to_id(token)
  const eosIds = await readEndIds(texts, idOf(special.eos_token), vocabSize)
  const template = await readChatTemplate(texts, config, special)
  return {
    vocabSize,
    eosIds,
    padId: idOf(special.pad_token) ?? eosIds[0] ?? 0,
    specialTokens: markup(definition),
    hasChatTemplate: template !== undefined,
    encode: (text) => (text === '' ? [] : inner.encode(text, { add_special_tokens: false }).ids),
    decode(ids, skipSpecial = false) {
      const wrong = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize))
      if (wrong !== undefined) {
        throw new Error(
          `decode: ids must be integers in [0, ${vocabSize}), got ${wrong}; is this the model's tokenizer?`,
        )
      }
      if (ids.length === 0) return ''
      // Cleaning up would change what was sampled: ' .' would become '.'.
      return inner.decode([...ids], { skip_special_tokens: skipSpecial, clean_up_tokenization_spaces: false })
    },
    renderPrompt: template ?? ((messages) => messages.map(({ content }) => content).join('\n\n')),
  }
}

function construct(where: string, definition: Json, config: Json): HuggingFaceTokenizer {
  try {
    return new HuggingFaceTokenizer(definition, config)
  } catch (error) {
    throw new Error(`tokenizer ${where}: tokenizer.json is not usable: ${(error as Error).message}`, { cause: error })
  }
}

/** Added tokens that are special, or tags; words that were only added to the vocabulary have no meaning of their own. */
function markup(definition: Json): string[] {
  const added = (definition['added_tokens'] ?? []) as { content: string; special?: boolean }[]
  return added.filter(({ content, special }) => special || /<.+>/.test(content)).map(({ content }) => content)
}

/** One more than the largest id, of the vocabulary or of an added token. */
function vocabularySize(where: string, definition: Json): number {
  const { vocab } = (definition['model'] ?? {}) as { vocab?: Record<string, number> }
  if (vocab === undefined || Array.isArray(vocab)) {
    throw new Error(`tokenizer ${where}: tokenizer.json has no vocabulary by token; only BPE tokenizers are supported`)
  }
  let largest = -1
  // A loop: 150,000 arguments of Math.max are more than the stack holds.
  for (const id of Object.values(vocab)) largest = Math.max(largest, id)
  for (const { id } of (definition['added_tokens'] ?? []) as { id: number }[]) largest = Math.max(largest, id)
  return largest + 1
}
