import { z } from 'zod'
import { readJsonl } from '../schema/jsonl.js'
import type { Question } from '../schema/question.js'

const answers = z.array(z.string()).min(1)

const question = z.object({
  id: z.string(),
  dataset: z.string(),
  question: z.string().min(1),
  goldAnswers: answers,
  supportingFacts: z.array(z.string()).optional(),
})

/** A line of FlashRAG's sets; column names are theirs. */
const flashRag = z.object({ id: z.string(), question: z.string().min(1), golden_answers: answers })

/**
 * Reads a question set: JSONL of this project's questions, or in FlashRAG's columns (id, question, golden_answers).
 * @param dataset Name for sets that do not carry one.
 */
export async function readQuestions(path: string, dataset: string): Promise<Question[]> {
  const row = z.unknown().transform((value, context): Question => {
    const foreign = value !== null && typeof value === 'object' && 'golden_answers' in value
    const result = foreign ? flashRag.safeParse(value) : question.safeParse(value)
    if (!result.success) {
      for (const { path: field, message } of result.error.issues)
        context.addIssue({ code: 'custom', path: field, message })
      return z.NEVER
    }
    const data = result.data
    if (!('golden_answers' in data)) return data as Question
    return { id: `${dataset}-${data.id}`, dataset, question: data.question, goldAnswers: data.golden_answers }
  })
  return readJsonl(path, row)
}
