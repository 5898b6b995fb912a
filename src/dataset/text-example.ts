import type { ExampleMessage, TextExample, Tools } from '../schema/text-example.js'
import { RowFault, isRow } from './fields.js'
import type { Row } from './fields.js'

const ROLES = ['system', 'user', 'assistant', 'tool']

/**
 * The example that a record holds: `messages`, or `prompt` and `completion`, with `tools` where it has them, which may be JSON
 * text, as in TRL. Other columns are left alone.
 * @throws {RowFault} where it holds none; the message ends a sentence about the record
 */
export function textExampleOf(record: unknown): TextExample {
  if (!isRow(record)) throw new RowFault(`an example must be an object, got ${shown(record)}`)
  const { messages, prompt, completion } = record
  if (given(messages)) {
    const list = messagesOf(messages, 'messages')
    if (!list.some(isAssistant)) throw new RowFault('messages hold no turn of the assistant')
    return { messages: list, ...toolsOf(record) }
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
  return {
    prompt: Array.isArray(prompt) && prompt.length === 0 ? [] : messagesOf(prompt, 'prompt'),
    completion: said,
    ...toolsOf(record),
  }
}

const given = (value: unknown): boolean => value !== undefined && value !== null
const isAssistant = ({ role }: ExampleMessage): boolean => role === 'assistant'

function messagesOf(value: unknown, column: string): ExampleMessage[] {
  if (!Array.isArray(value) || value.length === 0)
    throw new RowFault(`column ${column} must be a list of messages, got ${shown(value)}`)
  return value.map((message: unknown, i) => {
    const row: Row = isRow(message) ? message : {}
    const { role, tool_calls: calls } = row
    // Files with columns have null where others have a value.
    const content = given(row['content']) || !given(calls) ? row['content'] : ''
    if (!ROLES.includes(role as string))
      throw new RowFault(`${column} ${i + 1}: role must be ${ROLES.join(', ')}, got ${shown(role)}`)
    if (typeof content !== 'string')
      throw new RowFault(`${column} ${i + 1}: content must be a text, got ${shown(content)}`)
    if (given(calls) && !(role === 'assistant' && isList(calls)))
      throw new RowFault(
        `${column} ${i + 1}: tool_calls must be a list of objects of the assistant, got ${shown(calls)}`,
      )
    const further = ['name', 'tool_call_id'].filter((name) => role === 'tool' && typeof row[name] === 'string')
    return {
      role: role as ExampleMessage['role'],
      content,
      ...Object.fromEntries(further.map((name) => [name, row[name]])),
      ...(isList(calls) && calls.length > 0 && { tool_calls: calls }),
    }
  })
}

function toolsOf({ tools }: Row): { tools?: Tools } {
  let list = tools
  if (typeof tools === 'string') {
    try {
      list = JSON.parse(tools)
    } catch {
      // Said below.
    }
  }
  if (!given(list)) return {}
  if (!isList(list)) throw new RowFault(`tools must be a list of JSON schemas, or its JSON text, got ${shown(tools)}`)
  return list.length > 0 ? { tools: list } : {}
}

const isList = (value: unknown): value is Row[] => Array.isArray(value) && value.every(isRow)

function shown(value: unknown): string {
  const text = JSON.stringify(value) ?? 'nothing'
  return text.length > 60 ? `${text.slice(0, 60)}…` : text
}
