// How likely a training text of the policy decides well, wherever it decides. All of them write well-formed tags.

export interface Odds {
  /** Searches, instead of answering at once. */
  search: number
  /** Asks for the fact that it needs, instead of something else. */
  query: number
  /** Takes the value of the document that it needs, instead of another's. */
  read: number
  /** Searches again when no document helps, instead of guessing. */
  again: number
  /** Goes on to the next hop, instead of answering early. */
  next: number
  /** Answers when the last fact has been read, instead of searching for it once more. */
  stop: number
}

/** For the ceiling. */
export const PERFECT: Odds = { search: 1, query: 1, read: 1, again: 1, next: 1, stop: 1 }

/** For the policy that reinforcement learning starts from: it can do all of it, and has not learned when. */
export const NEUTRAL: Odds = { search: 0.45, query: 0.8, read: 0.8, again: 0.5, next: 0.85, stop: 0.85 }
