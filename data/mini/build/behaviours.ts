// What a training text of the policy may do. Every behaviour writes well-formed tags.

export type Behaviour =
  /** Searches hop by hop, again after noise, and answers what it read. */
  | 'right'
  /** Answers without a search. */
  | 'noSearch'
  /** Stops one hop early. */
  | 'oneTooFew'
  /** Searches once more although it has read the answer. */
  | 'oneTooMany'
  /** Asks for something else. */
  | 'anotherQuery'
  /** Answers with another document's value. */
  | 'anotherDocument'
  /** Answers from the first documents, relevant or not, with the first value it sees. */
  | 'earlyAnswer'
  /** Does not search again after noise. */
  | 'givesUp'

export type Mixture = readonly (readonly [Behaviour, number])[]

/** For the ceiling. */
export const PERFECT: Mixture = [['right', 1]]

/** For the policy that reinforcement learning starts from: it can do all of it, and does the right thing at times. */
export const NEUTRAL: Mixture = [
  ['right', 0.4],
  ['noSearch', 0.12],
  ['oneTooFew', 0.08],
  ['oneTooMany', 0.08],
  ['anotherQuery', 0.08],
  ['anotherDocument', 0.08],
  ['earlyAnswer', 0.08],
  ['givesUp', 0.08],
]
