import { z } from 'zod'
import type { Quality } from '../schema/document.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { positiveInteger } from '../policy/sampling-options.js'
import type { Message } from '../tokenizer/tokenizer.js'

/** How a simulator LLM is asked for documents. */
export interface SimulatorPrompt {
  /**
   * A text to continue, or messages of a chat.
   * @param query One line. Neither it nor the question holds a special token of the LLM.
   * @param documents How many are wanted.
   */
  render(query: string, question: Question, quality: Quality, documents: number): string | Message[]
  /** Strings that end its text. */
  stop: string[]
  /** Most tokens of five documents together; more documents get more in proportion. */
  maxTokens: number
}

/** What a simulator LLM is told besides the query: the question and a gold answer, the question alone, or nothing. */
export type Told = 'answer' | 'question' | 'nothing'

/** Options of `simulatorPrompt`. */
export interface SimulatorPromptOptions {
  /**
   * `prompt` explains to an instruction-tuned LLM what useful and noisy documents are. `sft` is for an LLM that was
   * fine-tuned for it: the same sentence for both, with a few words' difference. Default `prompt`.
   */
  mode?: 'prompt' | 'sft'
  /**
   * What the LLM is told, for both qualities or for each. Default `answer`, as in the paper. The reference code in prompt mode
   * tells nothing where noise is wanted: `{ useful: 'answer', noisy: 'nothing' }`.
   */
  told?:
    | Told
    | {
        /** Where useful documents are wanted. */
        useful: Told
        /** Where noisy ones are. */
        noisy: Told
      }
  /** About how many words a document has. Default 30, as in the paper. */
  words?: number
  /** Language of the documents, such as `German`. Default: the LLM's choice. */
  language?: string
}

const told = z.enum(['answer', 'question', 'nothing'])
const schema = z.strictObject({
  mode: z.enum(['prompt', 'sft']).default('prompt'),
  told: z
    .union(
      [told, z.strictObject({ useful: told, noisy: told })],
      'must be answer, question, nothing, or { useful, noisy }',
    )
    .default('answer'),
  words: positiveInteger.default(30),
  language: z.string().min(1).exactOptional(),
})

/** As in the paper, for five documents of 30 words. */
const MAX_TOKENS = 600

/** What the documents are to be, in prompt mode. */
const EXPLAINED = {
  useful: 'useful documents, which hold what is needed to answer the question',
  noisy: 'noisy documents, which look related to the query but do not help to answer the question',
}

/**
 * A prompt for a simulator LLM, as the paper has it (arXiv 2505.04588, table 2), in words of our own.
 * @throws where an option is not what it must be
 * @example
 * const prompt = zs.simulatorPrompt({ mode: 'sft', told: { useful: 'answer', noisy: 'question' }, words: 50 })
 * const simulator = zs.createSimulator(model, { prompt })
 */
export function simulatorPrompt(options: SimulatorPromptOptions = {}): SimulatorPrompt {
  const { mode, told, words, language } = parseOptions('simulator prompt', schema, options)
  const toldFor = (quality: Quality): Told => (typeof told === 'string' ? told : told[quality])
  return {
    render(query, question, quality, documents) {
      const wanted = mode === 'sft' ? `${quality} documents` : EXPLAINED[quality]
      const label = `${quality === 'useful' ? 'Useful' : 'Noisy'} documents:`
      const content =
        `You are a search engine. Write ${documents} ${wanted}. Each is about ${words} words long and stands on a line of its ` +
        `own that begins with "Doc" and its number, as in "Doc 1: …". ${language ? `Write in ${language}. ` : ''}` +
        `Write nothing else.\n\n${tell(question, toldFor(quality))}Query: ${query}\n\n${label}`
      return [{ role: 'user', content }]
    },
    stop: [],
    maxTokens: Math.ceil((MAX_TOKENS * Math.max(30, words)) / 30),
  }
}

function tell({ question, goldAnswers }: Question, told: Told): string {
  if (told === 'nothing') return ''
  const [answer] = goldAnswers
  return `Question: ${question}\n${told === 'answer' && answer !== undefined ? `Answer: ${answer}\n` : ''}`
}

/** For instruction-tuned LLMs: query, question and a gold answer, as the paper has it. */
export const zerosearchSimulatorPrompt: SimulatorPrompt = simulatorPrompt()
