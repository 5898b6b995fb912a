import type { Document } from '../schema/document.js'
import type { Question } from '../schema/question.js'

/** The protocol's tags, also as a model may read them: in any case, with some blanks inside. */
const TAG = /<[\s/]{0,4}(?:think|search|information|answer)\s{0,4}>/gi

/** A tokenizer, as far as it matters here. */
interface Specials {
  /** Texts that are encoded as one id of special meaning. */
  readonly specialTokens: readonly string[]
}

/** What finds the special tokens of each tokenizer. */
const patterns = new WeakMap<Specials, RegExp>()

/**
 * Takes the meaning from the protocol's tags and the tokenizer's special tokens in a text that somebody else wrote:
 * documents and questions must not be able to speak as the policy or end its turn, nor a query as the simulator. Square
 * brackets replace the angle ones; a token without any is broken up by a blank. All other text stays as it is.
 */
export function neutralize(text: string, tokenizer: Specials): string {
  const tokens = patternOf(tokenizer)
  return text.replace(TAG, bracket).replace(tokens, bracket).replace(tokens, breakUp)
}

const bracket = (token: string): string => token.replaceAll('<', '[').replaceAll('>', ']')
const breakUp = (token: string): string => (token.length === 1 ? ' ' : `${token.slice(0, 1)} ${token.slice(1)}`)

/** A document whose title and text are harmless. */
export function neutralizeDocument(document: Document, tokenizer: Specials): Document {
  const { title, text } = document
  return {
    ...document,
    text: neutralize(text, tokenizer),
    ...(title !== undefined && { title: neutralize(title, tokenizer) }),
  }
}

/** A question whose texts are harmless. */
export function neutralizeQuestion(question: Question, tokenizer: Specials): Question {
  const all = (texts: readonly string[]): string[] => texts.map((text) => neutralize(text, tokenizer))
  return {
    ...question,
    question: neutralize(question.question, tokenizer),
    goldAnswers: all(question.goldAnswers),
    ...(question.supportingFacts && { supportingFacts: all(question.supportingFacts) }),
  }
}

function patternOf(tokenizer: Specials): RegExp {
  let pattern = patterns.get(tokenizer)
  if (!pattern) {
    const tokens = tokenizer.specialTokens.filter((token) => token !== '')
    // The longest first, as tokenizers look for them.
    tokens.sort((a, b) => b.length - a.length)
    const escaped = tokens.map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
    pattern = new RegExp(escaped.join('|') || '(?!)', 'g')
    patterns.set(tokenizer, pattern)
  }
  return pattern
}
