import { Template } from '@huggingface/jinja'
import type { TextFiles } from '../file/text-files.js'
import type { Json } from './read-file.js'
import type { SpecialTokens } from './special-tokens.js'
import type { Tokenizer } from './tokenizer.js'

/** Messages to the model's prompt text, as `renderPrompt` of a tokenizer. */
export type ChatTemplate = Tokenizer['renderPrompt']

/** The chat template of a model: chat_template.jinja or a field of tokenizer_config.json; base models have none. */
export async function readChatTemplate(
  texts: TextFiles,
  config: Json,
  special: SpecialTokens,
): Promise<ChatTemplate | undefined> {
  const source = (await texts.read('chat_template.jinja')) ?? templateOfConfig(config['chat_template'])
  if (source === undefined) return undefined
  const failed = (what: string, error: unknown): Error =>
    new Error(`chat template of ${texts.where}: ${what}: ${(error as Error).message}`, { cause: error })
  let template: Template
  try {
    template = new Template(source)
  } catch (error) {
    throw failed('cannot be parsed', error)
  }
  return (messages, addGenerationPrompt = true, tools) => {
    try {
      return template.render({
        messages: messages.map((message) => ({ ...message })),
        add_generation_prompt: addGenerationPrompt,
        ...(tools && { tools: [...tools] }),
        ...special,
      })
    } catch (error) {
      throw failed(`refuses the messages (${messages.map(({ role }) => role).join(', ')})`, error)
    }
  }
}

/** One template, or several by name. */
function templateOfConfig(field: unknown): string | undefined {
  if (typeof field === 'string') return field
  if (!Array.isArray(field)) return undefined
  return (field as { name: string; template: string }[]).find(({ name }) => name === 'default')?.template
}
