import { z } from 'zod'
import { readJsonl } from '../file/jsonl.js'
import type { Domain, Question } from '../schema/question.js'
import { parseOptions } from '../schema/parse-options.js'
import { domainSchema, questionSchema } from '../schema/record-schemas.js'

/** A line of FlashRAG's sets; column names are theirs. */
const flashRag = z.object({
  id: z.string().min(1),
  question: z.string().min(1),
  golden_answers: z.array(z.string().min(1)).min(1),
})

const inputSchema = z.object({
  path: z.string().min(1),
  dataset: z.string().min(1),
  domain: domainSchema.exactOptional(),
})

/**
 * Reads a question set: JSONL of this project's questions, or in FlashRAG's columns (id, question, golden_answers).
 * FlashRAG's ids begin anew in each set (`test_0`), so they are prefixed with the set's name.
 * @param dataset Name of the set; questions that carry one of their own keep it.
 * @param domain Whether training asks questions of this kind; questions that say it themselves keep it. Default: not said.
 * @throws where there is no such file, a line is no question, or two questions have the same id
 * @example
 * const questions = await zs.readQuestions('nq-test.jsonl', 'nq', 'in-domain')
 * await zs.display(questions.slice(0, 5))
 */
export async function readQuestions(path: string, dataset: string, domain?: Domain): Promise<Question[]> {
  parseOptions('read question set', inputSchema, { path, dataset, domain })
  const questions = await readJsonl(path, row(dataset, domain), 'question set')
  const seen = new Set<string>()
  for (const { id } of questions) {
    if (seen.has(id)) throw new Error(`read question set ${path}: ids must be unique, got ${id} twice; renumber them`)
    seen.add(id)
  }
  return questions
}

function row(dataset: string, domain: Domain | undefined): z.ZodType<Question> {
  return z.unknown().transform((value, context): Question => {
    const report = (error: z.ZodError): never => {
      for (const issue of error.issues) context.addIssue({ code: 'custom', path: issue.path, message: issue.message })
      return z.NEVER
    }
    if (value === null || typeof value !== 'object' || !('golden_answers' in value)) {
      const parsed = questionSchema.safeParse(value)
      return parsed.success ? { ...(domain && { domain }), ...parsed.data } : report(parsed.error)
    }
    const foreign = flashRag.safeParse(value)
    if (!foreign.success) return report(foreign.error)
    const { id, question, golden_answers: goldAnswers } = foreign.data
    return { id: `${dataset}-${id}`, dataset, ...(domain && { domain }), question, goldAnswers }
  })
}
