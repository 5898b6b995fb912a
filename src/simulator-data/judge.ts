import { z } from 'zod'
import type { LanguageModel } from '../language-model/language-model.js'
import { scoreAnswer } from '../reward/answer-metrics.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import type { Trajectory } from '../schema/trajectory.js'
import { neutralize } from '../search/neutralize.js'
import type { Message } from '../tokenizer/tokenizer.js'
import { NOTHING_SPENT } from './attempt.js'
import type { Spent, Verdict } from './attempt.js'
import { countedModel } from './watched.js'

/** What a judge says of a trajectory. */
export interface Judgement {
  /** Whether its answer is right; `unclear` where the judge cannot tell. */
  verdict: Verdict
  /** The judge's own words, where it has any. */
  said?: string
  /** What was asked of language models for it. Default: nothing. */
  spent?: Spent
}

/** Tells right trajectories from wrong ones. */
export interface TrajectoryJudge {
  /** Says how it judges: what another judge said is not taken for its own. */
  name: string
  /** Only trajectories with an answer are given. What it throws counts as a failure, with its cause. */
  judge(trajectory: Trajectory, context: { seed: number; signal: AbortSignal }): Judgement | Promise<Judgement>
}

/** Judges by a metric of the answer: right from `atLeast` on. */
export interface MetricJudge {
  /** Which metric of `scoreAnswer`. */
  metric: 'em' | 'f1' | 'coverEm'
  /** In (0, 1]. Default: 0.8 of F1, else 1. */
  atLeast?: number
}

const metricSchema = z.strictObject({
  metric: z.enum(['em', 'f1', 'coverEm']),
  atLeast: z.number().gt(0).max(1).exactOptional(),
})

const isJudge = (value: unknown): value is TrajectoryJudge => {
  const { name, judge } = (value ?? {}) as Partial<Record<keyof TrajectoryJudge, unknown>>
  return typeof name === 'string' && name !== '' && typeof judge === 'function'
}

/** Rules of the option `judge`. */
export const judgeSchema = z.union(
  [z.custom<TrajectoryJudge>(isJudge), metricSchema as z.ZodType<MetricJudge>],
  'must be { metric, atLeast } with a metric of em, f1, coverEm, or a judge with a name, as llmJudge gives',
)

/** The judge that an option stands for. */
export function judgeOf(option: TrajectoryJudge | MetricJudge): TrajectoryJudge {
  if (isJudge(option)) return option
  const { metric, atLeast = metric === 'f1' ? 0.8 : 1 } = option
  return {
    name: `${metric} of at least ${atLeast}`,
    judge: ({ answer, question }) => ({
      verdict: scoreAnswer(answer, question.goldAnswers)[metric] >= atLeast ? 'right' : 'wrong',
    }),
  }
}

/** Options of `llmJudge`. */
export interface LlmJudgeOptions {
  /** How the LLM is asked. It must answer with yes or no. Texts are harmless and on one line. Default: a prompt of ours. */
  prompt?: (asked: { question: string; goldAnswers: readonly string[]; answer: string }) => string | Message[]
  /** Most tokens of what it says. Default 16. */
  maxTokens?: number
}

const llmSchema = z.strictObject({
  prompt: z
    .custom<NonNullable<LlmJudgeOptions['prompt']>>((value) => typeof value === 'function', 'must be a function')
    .default(() => yesOrNo),
  maxTokens: z.int().min(1).default(16),
})

/** Characters of an answer that a judge reads: a longer one is no answer, but may be an attempt to persuade. */
const LONGEST_ANSWER = 300

/**
 * An LLM as judge: it is asked, greedily, whether an answer means the same as a gold answer. What is neither yes nor no is
 * `unclear`, and such trajectories are used for nothing.
 * @example
 * const judge = zs.llmJudge(zs.openAi({ model: 'gpt-4o-mini' }))
 * const data = await zs.buildSimulatorData({ model, searchEngine, questions, judge, saveTo: 'runs/data' })
 */
export function llmJudge(model: LanguageModel, options: LlmJudgeOptions = {}): TrajectoryJudge {
  parseOptions('llm judge', z.object({ model: anObject<LanguageModel>('a language model', ['complete']) }), { model })
  const { prompt, maxTokens } = parseOptions('llm judge', llmSchema, options)
  const line = (text: string): string => neutralize(text.replace(/[\s\p{Cc}]+/gu, ' ').trim(), model)
  return {
    name: `llm ${model.name}`,
    async judge({ question, answer }, { seed, signal }) {
      let spent = NOTHING_SPENT
      const asked = {
        question: line(question.question),
        goldAnswers: question.goldAnswers.map(line),
        answer: line((answer ?? '').slice(0, LONGEST_ANSWER)),
      }
      const counted = countedModel(model, (one) => (spent = one))
      const { text } = await counted.complete(prompt(asked), { temperature: 0, maxTokens, seed, signal })
      return { verdict: readVerdict(text), said: text, spent }
    },
  }
}

function yesOrNo({ question, goldAnswers, answer }: Parameters<NonNullable<LlmJudgeOptions['prompt']>>[0]): Message[] {
  const content =
    'Does the given answer mean the same as one of the right answers? Say yes or no, nothing else.\n\n' +
    `Question: ${question}\nRight answers: ${goldAnswers.join(' or ')}\nGiven answer: ${answer}`
  return [{ role: 'user', content }]
}

/** What it says, if it says one of yes and no. */
function readVerdict(text: string): Verdict {
  const words = new Set([...text.matchAll(/\b(yes|no)\b/gi)].map(([word]) => word.toLowerCase()))
  if (words.size !== 1) return 'unclear'
  return words.has('yes') ? 'right' : 'wrong'
}
