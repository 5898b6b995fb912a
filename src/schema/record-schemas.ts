import { z } from 'zod'
import type { Document, Quality } from './document.js'
import type { Domain, Question } from './question.js'
import type { Score } from './score.js'
import type { Action, FailureBoundary, Observation, Trajectory, TrajectoryStopReason, Turn } from './trajectory.js'
import type { CollapseWarning, Metrics, UpdateRecord } from './update-record.js'

// Validators of the records that are read from files; the interfaces beside them say what the fields mean.

const text = z.string().min(1)
const count = z.int().min(0)
const share = z.number().min(0).max(1)

const quality: z.ZodType<Quality> = z.enum(['useful', 'noisy'])

export const domainSchema: z.ZodType<Domain> = z.enum(['in-domain', 'out-of-domain'])

/** Checks questions that are read from a file: `zs.readJsonl('questions.jsonl', zs.questionSchema)`. */
export const questionSchema: z.ZodType<Question> = z.object({
  id: text,
  dataset: text,
  domain: domainSchema.exactOptional(),
  split: text.exactOptional(),
  question: text,
  goldAnswers: z.array(text).min(1),
  supportingFacts: z.array(text).exactOptional(),
})

export const documentSchema: z.ZodType<Document> = z.object({
  id: z.string().exactOptional(),
  title: z.string().exactOptional(),
  text: z.string(),
  rank: z.int().min(1),
  score: z.number().exactOptional(),
  metadata: z.record(z.string(), z.unknown()).exactOptional(),
})

const action: z.ZodType<Action> = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('search'), query: z.string() }),
  z.object({ kind: z.literal('answer'), answer: z.string() }),
  z.object({ kind: z.literal('read'), urls: z.array(z.string()) }),
  z.object({ kind: z.literal('think') }),
  z.object({ kind: z.literal('invalid'), cause: z.string() }),
])

const observation: z.ZodType<Observation> = z.object({
  text: z.string(),
  documents: z.array(documentSchema),
  quality: quality.exactOptional(),
  unread: z.string().exactOptional(),
})

const turn: z.ZodType<Turn> = z.object({ text: z.string(), action, observation: observation.exactOptional() })

const boundary: z.ZodType<FailureBoundary> = z.enum(['policy', 'search', 'parse', 'reward'])
const stopReason: z.ZodType<TrajectoryStopReason> = z.enum(['answer', 'maxTurns', 'maxTokens', 'failed'])

const cost = z.number().min(0).exactOptional()

const expense = z.object({ searches: count, turns: count, tokens: count, pages: count, cost })
const budget = z.object({
  searches: count.exactOptional(),
  turns: count.exactOptional(),
  tokens: count.exactOptional(),
  pages: count.exactOptional(),
  cost,
})

/** Checks saved trajectories: `zs.readJsonl('trajectories.jsonl', zs.trajectorySchema)`. */
export const trajectorySchema: z.ZodType<Trajectory> = z
  .object({
    question: questionSchema,
    turns: z.array(turn),
    ids: z.array(count),
    lossMask: z.array(z.union([z.literal(0), z.literal(1)])),
    logprobs: z.array(z.number()),
    promptLength: count,
    answer: z.string().nullable(),
    stopReason,
    failure: z.object({ boundary, message: z.string() }).exactOptional(),
    searches: count,
    spent: expense.exactOptional(),
    budget: budget.exactOptional(),
    seed: z.int(),
  })
  .superRefine(({ ids, lossMask, logprobs, promptLength }, context) => {
    const add = (field: string, message: string): void => context.addIssue({ code: 'custom', path: [field], message })
    for (const [field, list] of Object.entries({ lossMask, logprobs })) {
      if (list.length !== ids.length) add(field, `there must be one for each of ${ids.length} ids, got ${list.length}`)
    }
    const early = lossMask.findIndex((mask, i) => mask === 1 && i < promptLength)
    if (early >= 0) add('lossMask', `must be 0 on the prompt's ${promptLength} ids, is 1 at ${early}`)
  })

/** Checks saved scores: `zs.readJsonl('scores.jsonl', zs.scoreSchema)`. */
export const scoreSchema: z.ZodType<Score> = z.object({
  method: text,
  dataset: text,
  domain: domainSchema.exactOptional(),
  questionId: text,
  answer: z.string().nullable(),
  em: share,
  coverEm: share,
  f1: share,
  paperEm: share.exactOptional(),
  searches: count,
  turns: count.exactOptional(),
  tokens: count.exactOptional(),
  pages: count.exactOptional(),
  seconds: z.number().min(0).exactOptional(),
  cost,
  budget: budget.exactOptional(),
  answered: share,
  failure: z.string().exactOptional(),
})

// z.record would drop a metric of the name `__proto__`.
const metrics = z.custom<Metrics>((value) => typeof value === 'object' && value !== null && !Array.isArray(value))

const atLeast0 = z.number().min(0).exactOptional()

const warning: z.ZodType<CollapseWarning> = z.object({
  metric: text,
  since: z.int().min(1),
  now: z.number(),
  before: z.number(),
  message: z.string(),
  remedy: z.string(),
})

export const updateRecordSchema: z.ZodType<UpdateRecord> = z.object({
  update: z.int().min(1),
  reward: z.number(),
  rewardParts: z.record(text, z.number()).exactOptional(),
  em: share,
  noiseThreshold: share,
  searchesPerQuestion: z.number().min(0),
  validActions: share.exactOptional(),
  searchFaults: count.exactOptional(),
  trajectories: count,
  failed: count,
  failures: z.array(z.object({ message: z.string(), count: z.int().min(1) })).exactOptional(),
  skipped: z.string().exactOptional(),
  kl: z.number(),
  loss: z.number(),
  entropy: z.number().exactOptional(),
  correctLogprobMean: z.number().exactOptional(),
  correctLogprobLow: z.number().exactOptional(),
  incorrectLogprobMean: z.number().exactOptional(),
  incorrectLogprobLow: z.number().exactOptional(),
  clipFraction: share,
  samplingLogprobDifferenceMean: z.number().min(0).exactOptional(),
  samplingLogprobDifferenceMax: z.number().min(0).exactOptional(),
  gradNorm: z.number().min(0),
  measures: z.record(text, z.number()).exactOptional(),
  learningRate: z.number().min(0),
  zeroVarianceGroups: count,
  groups: count.exactOptional(),
  zeroVarianceShare: share.exactOptional(),
  samplingRounds: z.int().min(1).exactOptional(),
  answered: share,
  tokensPerTrajectory: z.number().min(0),
  policyTokensPerTrajectory: atLeast0,
  observationTokensPerTrajectory: atLeast0,
  rolloutSeconds: z.number().min(0),
  searchSeconds: atLeast0,
  rewardSeconds: atLeast0,
  updateSeconds: z.number().min(0),
  // Runs that were saved earlier counted it with the others.
  compileSeconds: z.number().min(0).default(0),
  tokensPerSecond: atLeast0,
  residentBytes: atLeast0,
  warnings: z.array(warning).exactOptional(),
  rolledBackTo: count.exactOptional(),
  metrics: metrics.exactOptional(),
})
