import type { Message, TextExample } from '../schema/text-example.js'
import { RowFault, isRow } from './fields.js'
import type { Row } from './fields.js'

const ROLES = ['system', 'user', 'assistant']

/**
 * The example that a record holds: `messages`, or `prompt` and `completion`. Other columns are left alone.
 * @throws {RowFault} where it holds none; the message ends a sentence about the record
 */
export function textExampleOf(record: unknown): TextExample {
  if (!isRow(record)) throw new RowFault(`an example must be an object, got ${shown(record)}`)
  const { messages, prompt, completion } = record
  if (given(messages)) {
    const list = messagesOf(messages, 'messages')
    if (!list.some(isAssistant)) throw new RowFault('messages hold no turn of the assistant')
    return { messages: list }
  }
  if (!given(completion) || !given(prompt)) {
    throw new RowFault(
      `an example must have messages, or prompt and completion; the columns are ${Object.keys(record).join(', ') || 'none'}`,
    )
  }
  if (typeof prompt === 'string' && typeof completion === 'string') {
    if (completion === '') throw new RowFault('completion is empty')
    return { prompt, completion }
  }
  if (typeof prompt === 'string' || typeof completion === 'string')
    throw new RowFault('prompt and completion must both be texts, or both be lists of messages')
  const said = messagesOf(completion, 'completion')
  if (!said.some(isAssistant)) throw new RowFault('completion holds no turn of the assistant')
  return { prompt: Array.isArray(prompt) && prompt.length === 0 ? [] : messagesOf(prompt, 'prompt'), completion: said }
}

const given = (value: unknown): boolean => value !== undefined && value !== null
const isAssistant = ({ role }: Message): boolean => role === 'assistant'

function messagesOf(value: unknown, column: string): Message[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new RowFault(`column ${column} must be a list of messages, got ${shown(value)}`)
  return value.map((message: unknown, i) => {
    const { role, content }: Row = isRow(message) ? message : {}
    if (!ROLES.includes(role as string))
      throw new RowFault(`${column} ${i + 1}: role must be ${ROLES.join(', ')}, got ${shown(role)}`)
    if (typeof content !== 'string')
      throw new RowFault(`${column} ${i + 1}: content must be a text, got ${shown(content)}`)
    return { role: role as Message['role'], content }
  })
}

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
