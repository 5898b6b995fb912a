import type { Document } from '../schema/document.js'

/** Anything between angle brackets that a tokenizer could know as a token of its own: tags, `<|im_end|>`, `</s>`. */
const TOKEN = /<([^<>\s]{1,64})>/g

/**
 * Takes the meaning from protocol tags and special tokens in a text that somebody else wrote (square brackets replace
 * the angle ones): documents must not be able to speak as the policy or end its turn, nor a query as the simulator.
 */
export function neutralize(text: string): string {
  return text.replace(TOKEN, '[$1]')
}

/** A document whose title and text are harmless. */
export function neutralizeDocument(document: Document): Document {
  const { title, text } = document
  return { ...document, text: neutralize(text), ...(title !== undefined && { title: neutralize(title) }) }
}
