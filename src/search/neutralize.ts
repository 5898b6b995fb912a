import type { Document } from '../schema/document.js'
import type { Question } from '../schema/question.js'

/** The protocol's tags, also as a model may read them: in any case, with some blanks inside. */
const TAG = /<[\s/]{0,4}(?:think|search|information|answer)\s{0,4}>/gi

/** A tokenizer or a language model, as far as it matters here. */
interface Specials {
  /** Texts that are read as a command. Where they are not known, all that look like one are taken. */
  readonly specialTokens?: readonly string[]
}

/** What the special tokens of the usual families look like: `<|im_end|>`, `<｜User｜>`, `</s>`, `<end_of_turn>`, `[/INST]`. */
const USUAL =
  /<[|｜][^<>]{0,64}[|｜]>|<\/?(?:s|bos|eos|pad|unk|start_of_turn|end_of_turn)>|\[\/?[A-Z_]{2,32}\]|<<\/?SYS>>/g

/** What finds the special tokens of each list. */
const patterns = new WeakMap<readonly string[], RegExp>()

/**
 * Takes the meaning from the protocol's tags and the model's special tokens in a text that somebody else wrote:
 * documents and questions must not be able to speak as the policy or end its turn, nor a query as the simulator. Square
 * brackets replace the angle ones; a token without any is broken up by a blank. All other text stays as it is.
 */
export function neutralize(text: string, model: Specials): string {
  const tokens = patternOf(model)
  return text.replace(TAG, bracket).replace(tokens, bracket).replace(tokens, breakUp)
}

const bracket = (token: string): string => token.replaceAll('<', '[').replaceAll('>', ']')
const breakUp = (token: string): string => (token.length === 1 ? ' ' : `${token.slice(0, 1)} ${token.slice(1)}`)

/** A document whose title and text are harmless. */
export function neutralizeDocument(document: Document, model: Specials): Document {
  const { title, text } = document
  return {
    ...document,
    text: neutralize(text, model),
    ...(title !== undefined && { title: neutralize(title, model) }),
  }
}

/** A question whose texts are harmless. */
export function neutralizeQuestion(question: Question, model: Specials): Question {
  const all = (texts: readonly string[]): string[] => texts.map((text) => neutralize(text, model))
  return {
    ...question,
    question: neutralize(question.question, model),
    goldAnswers: all(question.goldAnswers),
    ...(question.supportingFacts && { supportingFacts: all(question.supportingFacts) }),
  }
}

function patternOf({ specialTokens }: Specials): RegExp {
  if (!specialTokens) return USUAL
  let pattern = patterns.get(specialTokens)
  if (!pattern) {
    const tokens = specialTokens.filter((token) => token !== '')
    // The longest first, as tokenizers look for them.
    tokens.sort((a, b) => b.length - a.length)
    const escaped = tokens.map((token) => token.replace(/[\\^$.*+?()[\]{}|/-]/g, '\\$&'))
    pattern = new RegExp(escaped.join('|') || '(?!)', 'g')
    patterns.set(specialTokens, pattern)
  }
  return pattern
}
