import { CLOSE_INFORMATION } from '../rollout/protocol.js'
import type { TokenSource } from '../schema/token-view.js'
import type { Trajectory } from '../schema/trajectory.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'

const OPEN_INFORMATION = '<information>'

/** Where a token comes from, and which message of the policy (from 1; 0 is the prompt) it belongs to or follows. */
export interface TokenOrigin {
  source: TokenSource
  turn: number
}

/**
 * Where each token of a trajectory comes from. The loss mask alone says which the policy wrote. In the rest, texts of the chat
 * template and the protocol are told from what stands between them; a token across the border counts where it begins.
 * @param texts Of each token (`tokenTexts`).
 */
export function tokenOrigins(
  { lossMask, promptLength, turns }: Pick<Trajectory, 'lossMask' | 'promptLength' | 'turns'>,
  texts: readonly string[],
  tokenizer: Tokenizer,
): TokenOrigin[] {
  const origins: TokenOrigin[] = []
  const add = (turn: number, sources: readonly TokenSource[]): void =>
    void origins.push(...sources.map((source) => ({ source, turn })))
  add(0, promptSources(texts.slice(0, promptLength), tokenizer))
  for (let turn = 0; origins.length < texts.length;) {
    const start = origins.length
    const mask = lossMask[start]
    let end = start
    while (end < texts.length && lossMask[end] === mask) end++
    const run = texts.slice(start, end)
    if (mask === 1)
      add(
        ++turn,
        run.map(() => 'policy'),
      )
    else add(turn, turns[turn - 1]?.action.kind === 'invalid' ? run.map(() => 'template') : observationSources(run))
  }
  return origins
}

/** The chat template's texts are what it puts around a message that says nothing of its own; special tokens always are. */
function promptSources(texts: readonly string[], tokenizer: Tokenizer): TokenSource[] {
  const text = texts.join('')
  const { before, after } = templateAround(tokenizer)
  const fits = text.length >= before.length + after.length && text.startsWith(before) && text.endsWith(after)
  const [begin, end] = fits ? [before.length, text.length - after.length] : [0, text.length]
  const special = new Set(tokenizer.specialTokens)
  return between(texts, begin, end, 'prompt').map((source, i) => (special.has(texts[i]!) ? 'template' : source))
}

const MESSAGE = 'Where is Lima?'

function templateAround(tokenizer: Tokenizer): { before: string; after: string } {
  const parts = tokenizer.hasChatTemplate
    ? tokenizer.renderPrompt([{ role: 'user', content: MESSAGE }]).split(MESSAGE)
    : []
  // A template that says the message twice, or not at all, is not told apart.
  return parts.length === 2 ? { before: parts[0]!, after: parts[1]! } : { before: '', after: '' }
}

/** Without tags, all of it is what was observed. */
function observationSources(texts: readonly string[]): TokenSource[] {
  const text = texts.join('')
  const open = text.indexOf(OPEN_INFORMATION)
  const close = text.lastIndexOf(CLOSE_INFORMATION)
  const begin = open < 0 ? 0 : open + OPEN_INFORMATION.length
  return between(texts, begin, close < begin ? text.length : close, 'observation')
}

/** Tokens that begin in a span of the text have the source, others are of the template. */
function between(texts: readonly string[], begin: number, end: number, source: TokenSource): TokenSource[] {
  let place = 0
  let last: TokenSource = 'template'
  return texts.map((text) => {
    // A further part of a character belongs to the character.
    if (text !== '') last = place >= begin && place < end ? source : 'template'
    place += text.length
    return last
  })
}
