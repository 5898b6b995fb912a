import type { Draft } from './decoder.js'
import { NO_DRAFT } from './drafts.js'

/** How often a drafted id is the one that is drawn, by the number of ids that were found: measured by test/bench/speculative.ts. */
const CHANCES = [0.2, 0.6, 0.6]

/** Of more, hardly any is drawn. */
const LONGEST_DRAFT = 7

/**
 * Guesses what comes next in a text from what it holds already, as transformers does for `prompt_lookup_num_tokens`: its last
 * three ids are looked for in what lies before, else the last two, else the last one, and what followed them there the first
 * time is the draft.
 * @param ids Of the whole conversation.
 * @param most Ids of the draft, at most.
 */
export function lookUpDraft(ids: readonly number[], most: number): Draft {
  for (let length = Math.min(CHANCES.length, ids.length - 1); length > 0 && most > 0; length--) {
    const last = ids.length - length
    for (let at = 0; at < last; at++) {
      let same = 0
      while (same < length && ids[at + same] === ids[last + same]) same++
      if (same < length) continue
      const from = at + length
      return { ids: ids.slice(from, from + Math.min(most, LONGEST_DRAFT)), chance: CHANCES[length - 1]! }
    }
  }
  return NO_DRAFT
}
