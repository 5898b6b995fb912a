import type { Draft, Drawn } from './decoder.js'

export const NO_DRAFT: Draft = { ids: [], chance: 0 }

/** What a call takes whatever it computes, in tokens: measured by test/bench/speculative.ts. */
const FIXED_COST = 16

/**
 * How many ids of each draft a call checks. Beside the tokens of its conversations it takes those that save more than they
 * cost, and fills with the likeliest what it is padded by. The rule knows no time, so runs repeat.
 * @param size Of a call that is to hold so many tokens, padding included; at least so many, or the most that there may be.
 */
export function checkedLengths(drafts: readonly Draft[], size: (tokens: number) => number): number[] {
  const rows = drafts.length
  const guesses = drafts.flatMap(({ ids, chance }, row) => ids.map((_, i) => ({ row, chance: chance ** (i + 1) })))
  // A call of so many tokens takes rows + FIXED_COST for them, and one more if one more id is checked.
  const worth = guesses.filter(({ chance }) => chance > rows / (rows + FIXED_COST))
  const lengths = drafts.map(() => 0)
  // Of a draft, an earlier id is likelier than a later one.
  guesses.sort((a, b) => b.chance - a.chance)
  for (const { row } of guesses.slice(0, size(rows + worth.length) - rows)) lengths[row]!++
  return lengths
}

/**
 * What is drawn of a conversation whose draft was checked. Each token is drawn from what precedes it, so it counts as long
 * as all of the draft before it is what was drawn; the first one that differs is drawn as it would have been without.
 * @param drawn Behind the conversation's last id, and behind each id of the draft.
 */
export function acceptDraft(draft: readonly number[], { tokens, logprobs }: Drawn): Drawn {
  let accepted = 0
  while (accepted < draft.length && draft[accepted] === tokens[accepted]) accepted++
  return { tokens: tokens.slice(0, accepted + 1), logprobs: logprobs.slice(0, accepted + 1) }
}
