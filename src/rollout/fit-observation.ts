import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { CLOSE_INFORMATION } from './protocol.js'

/**
 * An observation as the policy sees it: of a long one the documents are cut at their end, token by token, and the
 * closing tag stays.
 * @param limit Most ids; at least those of the closing tag and what follows it.
 */
export function fitObservation(tokenizer: Tokenizer, text: string, limit: number): { text: string; ids: number[] } {
  const whole = tokenizer.encode(text)
  if (whole.length <= limit) return { text, ids: whole }
  const end = text.lastIndexOf(CLOSE_INFORMATION)
  const close = tokenizer.encode(text.slice(end))
  const ids = [...tokenizer.encode(text.slice(0, end)).slice(0, limit - close.length), ...close]
  return { text: tokenizer.decode(ids), ids }
}
