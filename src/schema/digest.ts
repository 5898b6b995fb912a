import { createHash } from 'node:crypto'
import type { Question } from './question.js'

/** What identifies plain data: SHA-256 of its JSON, the first 12 digits. */
export const digest = (value: unknown): string =>
  createHash('sha256').update(JSON.stringify(value)).digest('hex').slice(0, 12)

/** What of a question decides how it is played and scored. */
export const questionFields = ({ id, dataset, question, goldAnswers, supportingFacts }: Question): unknown[] => [
  id,
  dataset,
  question,
  goldAnswers,
  supportingFacts,
]
