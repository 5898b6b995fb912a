import type { Domain } from '../schema/question.js'
import type { Row } from './fields.js'

/** What a row of any dialect says. */
export interface RawQuestion {
  /** The set's id of it; a whole one is unique over all sets already. */
  id?: string | undefined
  wholeId?: true
  /** Name of the set, where row or dialect say it. */
  dataset?: string | undefined
  split?: string | undefined
  domain?: Domain | undefined
  question: string
  /** Undefined where the set says that the question has no answer. */
  goldAnswers: string[] | undefined
  /** Texts that together answer it, first hop first. */
  supportingFacts?: string[] | undefined
  /** What the row gives to read, gold paragraphs and distractors. Made only when asked for. */
  paragraphs?: () => Paragraph[]
}

/** A text that a question comes with. */
export interface Paragraph {
  title: string
  text: string
  /** Whether the answer rests on it. */
  isGold: boolean
}

/** One of the shapes that question sets are published in. */
export interface Dialect {
  name: string
  /** Whether a row has this shape. */
  matches(row: Row): boolean
  /** @throws {RowFault} where a row of this shape holds no question */
  read(row: Row): RawQuestion
}
