import { encodePlain, specialsOf } from './plain-text.js'
import type { Specials } from './plain-text.js'
import type { ExampleMessage, Tools } from '../schema/text-example.js'
import { mapTexts, textsIn } from './texts-in.js'
import type { Tokenizer } from './tokenizer.js'

/** The ids of a conversation, and which of them the assistant says. */
export interface EncodedChat {
  ids: number[]
  /** 1 on the assistant's tokens, the one that ends its turn among them; 0 elsewhere. */
  lossMask: number[]
}

/**
 * Encodes a conversation as the model meets it: what is before a turn of the assistant is its prompt, and the turn is what
 * the template makes of it, the token that ends a generation and what stands behind that among it (ChatML: a line break), as
 * in TRL. The turn is encoded by itself, as it is when the model says it. What contents say never becomes a special token.
 *
 * TRL 1.16's training template of Qwen2.5 marks the line break before a turn, too; here that is the prompt's, as in generation.
 *
 * Turns are found by comparing renderings: that of the messages before a turn, ready for the assistant, begins that of the
 * whole. Without a chat template the contents are joined by blank lines, and the end token follows the last of them.
 * @param turns Indices of the messages whose tokens are marked, in order; each is one of the assistant's.
 * @param tools What the assistant may call.
 * @throws where the chat template refuses the messages, knows nothing of tools that they have, or renders a turn otherwise once others follow it
 */
export function encodeChat(
  tokenizer: Tokenizer,
  messages: readonly ExampleMessage[],
  turns: readonly number[],
  tools?: Tools,
): EncodedChat {
  checkTools(tokenizer, messages, tools)
  const specials = specialsOf(tokenizer)
  const { hidden, restore } = hideSpecials({ messages, ...(tools && { tools }) }, specials)
  const render = (count: number, prompt: boolean): string =>
    tokenizer.renderPrompt(hidden.messages.slice(0, count), prompt, hidden.tools)
  const whole = render(messages.length, false)
  const ids: number[] = []
  const lossMask: number[] = []
  const append = (text: string, mask: (part: readonly number[]) => number[]): void => {
    const part = encodeRendered(tokenizer, specials, text, restore)
    ids.push(...part)
    lossMask.push(...mask(part))
  }
  const unmarked = (part: readonly number[]): number[] => part.map(() => 0)
  let done = 0
  turns.forEach((turn, i) => {
    const prompt = render(turn, true)
    if (prompt.length < done || !whole.startsWith(prompt)) throw otherwise(turn)
    append(whole.slice(done, prompt.length), unmarked)
    const upTo = render(turn + 1, false)
    const ends = whole.startsWith(upTo) && upTo.length >= prompt.length
    const next = turns[i + 1]
    const end = ends ? upTo.length : next === undefined ? whole.length : render(next, true).length
    append(whole.slice(prompt.length, end), (part) => {
      if (ends) return part.map(() => 1)
      // Where the template renders the turn otherwise when it is the last, its end is that of the first generation.
      const last = part.findIndex((id) => tokenizer.eosIds.includes(id))
      if (last < 0) throw otherwise(turn)
      return part.map((_, place) => (place <= last ? 1 : 0))
    })
    done = end
  })
  append(whole.slice(done), unmarked)
  const eos = tokenizer.eosIds[0]
  if (!tokenizer.hasChatTemplate && turns.at(-1) === messages.length - 1 && eos !== undefined) {
    ids.push(eos)
    lossMask.push(1)
  }
  return { ids, lossMask }
}

const otherwise = (turn: number): Error =>
  new Error(
    `the chat template renders message ${turn + 1}, the assistant's, otherwise once it has a place in the whole ` +
      "conversation, so its tokens cannot be told; train the last turn alone (assistantTurns: 'last')",
  )

/** Private characters that no text of these has. */
function freeCharacter(texts: readonly string[]): string {
  for (let code = 0xe000; code < 0xf900; code++) {
    const character = String.fromCharCode(code)
    if (!texts.some((text) => text.includes(character))) return character
  }
  throw new Error('the messages hold every private character of Unicode')
}

/** A template that knows nothing of tools leaves them out without a word. */
function checkTools(tokenizer: Tokenizer, messages: readonly ExampleMessage[], tools: Tools | undefined): void {
  const render = (as: readonly ExampleMessage[], shown?: Tools): string => tokenizer.renderPrompt(as, false, shown)
  const refuse = (what: string): void => {
    throw new Error(`the model's chat template leaves out ${what}; take a model whose template knows tools`)
  }
  if (tools && render(messages, tools) === render(messages)) refuse('tools')
  for (const [i, message] of messages.entries()) {
    const { tool_calls: calls, ...rest } = message
    const instead = (changed: ExampleMessage): string =>
      render(
        messages.map((one, k) => (k === i ? changed : one)),
        tools,
      )
    if (calls && instead(rest) === render(messages, tools)) refuse(`tool_calls of message ${i + 1}`)
    if (
      message.role === 'tool' &&
      message.content !== '' &&
      instead({ ...message, content: '' }) === render(messages, tools)
    )
      refuse(`message ${i + 1}, a tool's`)
  }
}

/** What a template is given. */
interface Rendered {
  messages: readonly ExampleMessage[]
  tools?: Tools
}

/** Texts in which marks stand for special tokens, and what puts them back. */
function hideSpecials(
  given: Rendered,
  { pattern }: Specials,
): { hidden: Rendered; restore?: (text: string) => string } {
  const contents = textsIn(given)
  if (!pattern || contents.every((content) => content.search(pattern) < 0)) {
    return { hidden: given }
  }
  const mark = freeCharacter(contents)
  const texts: string[] = []
  const hide = (content: string): string => content.replace(pattern, (text) => `${mark}${texts.push(text) - 1}${mark}`)
  const hidden = mapTexts(given, hide) as Rendered
  const marks = new RegExp(`${mark}(\\d+)${mark}`, 'g')
  return { hidden, restore: (text: string) => text.replace(marks, (_, i: string) => texts[Number(i)]!) }
}

/** The ids of rendered text: special tokens are those of the template alone. */
function encodeRendered(
  tokenizer: Tokenizer,
  { pattern, ids: special }: Specials,
  text: string,
  restore: ((text: string) => string) | undefined,
): number[] {
  const expected = pattern ? (text.match(pattern) ?? []).length : 0
  if (!restore || restore(text) === text) {
    const ids = tokenizer.encode(text)
    if (ids.filter((id) => special.has(id)).length === expected) return ids
  }
  const ids: number[] = []
  let done = 0
  const plain = (part: string): void => void ids.push(...encodePlain(tokenizer, restore?.(part) ?? part))
  for (const token of pattern ? (text.match(pattern) ?? []) : []) {
    const place = text.indexOf(token, done)
    plain(text.slice(done, place))
    ids.push(...tokenizer.encode(token))
    done = place + token.length
  }
  plain(text.slice(done))
  return ids
}
