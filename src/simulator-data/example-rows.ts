import { z } from 'zod'
import type { ColumnType } from '../file/parquet.js'
import { readJsonl } from '../file/jsonl.js'
import type { Question } from '../schema/question.js'
import type { Message } from '../schema/text-example.js'
import { simulatorRequest } from '../simulator/simulator-request.js'
import type { SimulatorPrompt } from '../simulator/prompts.js'
import { documentLines } from './clean-documents.js'
import type { SimulatorExample } from './label.js'

/** What a simulator is asked, and what it is to write; as messages where the prompt is a chat. */
export interface PromptedExample {
  example: SimulatorExample
  prompt: string | Message[]
  completion: string
}

/** The example as `createSimulator` would ask for it with this prompt. */
export function prompted(example: SimulatorExample, prompt: SimulatorPrompt): PromptedExample {
  const { query, question, quality, documents } = example
  const asked = { query, question, quality, documents: documents.length }
  const request = simulatorRequest(prompt, asked, {})
  // A text goes on in its line, and its stop string alone would end it.
  const text = ` ${documentLines(documents, ' ')}${prompt.stop[0] ?? ''}`
  return { example, prompt: request, completion: typeof request === 'string' ? text : documentLines(documents) }
}

const assistant = (content: string): Message => ({ role: 'assistant', content })

/** What an example is of, beside its text. */
const about = ({ quality, query, documents, question }: SimulatorExample) => ({
  quality,
  query,
  documents,
  question_id: question.id,
  dataset: question.dataset,
  question: question.question,
  gold_answers: question.goldAnswers,
  ...(question.supportingFacts && { supporting_facts: question.supportingFacts }),
})

/** A line of the JSONL: a chat, as OpenAI and LLaMA-Factory take it, or a text and its continuation. */
export const lineOf = ({ example, prompt, completion }: PromptedExample): Record<string, unknown> => ({
  ...(typeof prompt === 'string' ? { prompt, completion } : { messages: [...prompt, assistant(completion)] }),
  ...about(example),
})

/** A row of the Parquet file: prompt and completion apart, of which TRL takes the completion into the loss. */
export const rowOf = ({ example, prompt, completion }: PromptedExample): Record<string, unknown> => ({
  prompt,
  completion: typeof prompt === 'string' ? completion : [assistant(completion)],
  ...about(example),
})

/** Columns of the Parquet file. */
export function columnsOf(isChat: boolean): Record<string, ColumnType> {
  const text: ColumnType = isChat ? 'messages' : 'text'
  return {
    prompt: text,
    completion: text,
    quality: 'text',
    query: 'text',
    documents: 'texts',
    question_id: 'text',
    dataset: 'text',
    question: 'text',
    gold_answers: 'texts',
    supporting_facts: 'texts',
  }
}

const lineSchema = z
  .object({
    quality: z.enum(['useful', 'noisy']),
    query: z.string(),
    documents: z.array(z.string()),
    question_id: z.string(),
    dataset: z.string(),
    question: z.string(),
    gold_answers: z.array(z.string()).min(1),
    supporting_facts: z.array(z.string()).exactOptional(),
  })
  .transform((line): SimulatorExample => {
    const { quality, query, documents, question_id: id, dataset, question, gold_answers: goldAnswers } = line
    const facts = line.supporting_facts
    const asked: Question = { id, dataset, question, goldAnswers, ...(facts && { supportingFacts: facts }) }
    return { quality, query, documents, question: asked }
  })

/**
 * The examples of a file that `buildSimulatorData` wrote: what was searched, for which question, and the documents to be written.
 * @throws where there is no such file, or a line is no such example
 * @example
 * const examples = await zs.readSimulatorExamples('runs/data/validation.jsonl')
 * await zs.display(examples)
 */
export const readSimulatorExamples = (path: string): Promise<SimulatorExample[]> =>
  readJsonl(path, lineSchema as z.ZodType<SimulatorExample>, 'simulator data')
