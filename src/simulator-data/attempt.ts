import { z } from 'zod'
import { documentSchema, trajectorySchema } from '../schema/record-schemas.js'
import type { Document } from '../schema/document.js'
import type { Trajectory } from '../schema/trajectory.js'

/** One search of a played question: what was asked, and what the engine gave. */
export interface CollectedSearch {
  query: string
  documents: Document[]
}

/** What was asked of language models. */
export interface Spent {
  completions: number
  promptTokens: number
  completionTokens: number
  /** Where prices are known. */
  cost?: number
}

/** One question played once, as the journal keeps it. */
export interface Attempt {
  /** Which of the question's attempts, from 0. */
  rollout: number
  /** Without ids and documents: these stand in `searches`. */
  trajectory: Trajectory
  /** In the order in which they were made. */
  searches: CollectedSearch[]
  spent: Spent
}

/** Whether a trajectory's answer is right. `unclear`: the judge could not tell. */
export type Verdict = 'right' | 'wrong' | 'unclear'

/** What a judge said of an attempt. */
export interface Judged {
  questionId: string
  rollout: number
  /** Name of the judge. */
  judge: string
  verdict: Verdict
  /** The judge's own words, where it has any. */
  said?: string
  spent: Spent
}

/** A line of the journal. */
export type JournalLine = ({ kind: 'played' } & Attempt) | ({ kind: 'judged' } & Judged)

const count = z.int().min(0)
const spent: z.ZodType<Spent> = z.object({
  completions: count,
  promptTokens: count,
  completionTokens: count,
  cost: z.number().min(0).exactOptional(),
})

export const journalLineSchema: z.ZodType<JournalLine> = z.discriminatedUnion('kind', [
  z.object({
    kind: z.literal('played'),
    rollout: count,
    trajectory: trajectorySchema,
    searches: z.array(z.object({ query: z.string(), documents: z.array(documentSchema) })),
    spent,
  }),
  z.object({
    kind: z.literal('judged'),
    questionId: z.string(),
    rollout: count,
    judge: z.string(),
    verdict: z.enum(['right', 'wrong', 'unclear']),
    said: z.string().exactOptional(),
    spent,
  }),
])

export const NOTHING_SPENT: Spent = { completions: 0, promptTokens: 0, completionTokens: 0 }

export function addSpent(a: Spent, b: Spent): Spent {
  const cost = a.cost === undefined && b.cost === undefined ? undefined : (a.cost ?? 0) + (b.cost ?? 0)
  return {
    completions: a.completions + b.completions,
    promptTokens: a.promptTokens + b.promptTokens,
    completionTokens: a.completionTokens + b.completionTokens,
    ...(cost !== undefined && { cost }),
  }
}
