import type { Action } from '../schema/trajectory.js'

/** Strings that end a message of the policy: nothing after its action counts. */
export const ACTION_ENDS = ['</search>', '</answer>']

/** A complete tag, from the last opening on: an opening before it was never closed. */
const TAG = /<(search|answer)>((?:(?!<(?:search|answer)>)[^])*?)<\/\1>/

/** What a message asks for: its first complete search or answer tag. */
export function parseAction(text: string): Action {
  const match = TAG.exec(text)
  if (!match) {
    const open = /<(search|answer)>/.exec(text)
    return { kind: 'invalid', cause: open ? `<${open[1]}> is not closed` : 'there is neither <search> nor <answer>' }
  }
  const content = match[2]!.trim()
  if (match[1] === 'answer') return { kind: 'answer', answer: content }
  return content === '' ? { kind: 'invalid', cause: 'the query is empty' } : { kind: 'search', query: content }
}
