import { table, type ColumnTable } from 'arquero'
import { z } from 'zod'
import { scoreAnswer } from '../reward/answer-metrics.js'
import { parseOptions } from '../schema/parse-options.js'
import type { Action, Observation, Trajectory, Turn } from '../schema/trajectory.js'

/** Options of `trajectoryTable`. */
export interface TrajectoryTableOptions {
  /** Columns with what each search found, as text. Default false. */
  documents?: boolean
}

const optionsSchema = z.strictObject({ documents: z.boolean().default(false) })

/** What a message asks for, in the tags of the protocol and of Search-o1's family. */
const ACTIONS = /<(search|answer)>[^]*?<\/\1>|<\|begin_(search_query|url)\|>[^]*?<\|end_\2\|>/g
const THOUGHT = /<think>([^]*?)<\/think>/g

/**
 * One row for each trajectory, with what was thought and searched for as text: `method` (where they say it, as those of an evaluation
 * do), `dataset`, `questionId`, `question`, `goldAnswers`, `answer`, `em`, `f1`, `searches`, `stopReason`, `failure`, then for each
 * turn `thought1`, `search1` (a query, or the addresses of pages), and `documents1` by option. What there is not is null. A thought is
 * what stands in `<think>`, else the message without its action.
 * @example
 * const trajectories: zs.Trajectory[] = []
 * await zs.evaluate({ methods: [method], questions, onTrajectory: (_, trajectory) => trajectories.push(trajectory) })
 * await zs.saveTable(zs.trajectoryTable(trajectories), 'trajectories.parquet')
 */
export function trajectoryTable(
  trajectories: readonly (Trajectory & { method?: string })[],
  options: TrajectoryTableOptions = {},
): ColumnTable {
  const { documents } = parseOptions('trajectory table', optionsSchema, options)
  const column = <T>(value: (trajectory: Trajectory & { method?: string }) => T): T[] => trajectories.map(value)
  const scores = column(({ answer, failure, question }) => scoreAnswer(failure ? null : answer, question.goldAnswers))
  const longest = trajectories.reduce((most, { turns }) => Math.max(most, turns.length), 0)
  const ofTurn = (place: number, text: (turn: Turn) => string | null): (string | null)[] =>
    column(({ turns }) => turns.slice(place, place + 1).map(text)[0] ?? null)
  const turns = Array.from({ length: longest }, (_, place) => ({
    [`thought${place + 1}`]: ofTurn(place, ({ text }) => thoughtOf(text)),
    [`search${place + 1}`]: ofTurn(place, ({ action }) => wanted(action)),
    ...(documents && { [`documents${place + 1}`]: ofTurn(place, ({ observation }) => found(observation)) }),
  }))
  return table({
    ...(trajectories.some(({ method }) => method !== undefined) && { method: column(({ method }) => method ?? null) }),
    dataset: column(({ question }) => question.dataset),
    questionId: column(({ question }) => question.id),
    question: column(({ question }) => question.question),
    goldAnswers: column(({ question }) => question.goldAnswers),
    answer: column(({ answer }) => answer),
    em: scores.map(({ em }) => em),
    f1: scores.map(({ f1 }) => f1),
    searches: column(({ searches }) => searches),
    stopReason: column(({ stopReason }) => stopReason),
    failure: column(({ failure }) => (failure ? `${failure.boundary}: ${failure.message}` : null)),
    ...Object.fromEntries(turns.flatMap((columns) => Object.entries(columns))),
  })
}

function thoughtOf(text: string): string | null {
  const thoughts = [...text.matchAll(THOUGHT)].map((match) => match[1]!.trim())
  const thought = thoughts.length > 0 ? thoughts.join('\n') : text.replace(ACTIONS, '').trim()
  return thought === '' ? null : thought
}

function wanted(action: Action): string | null {
  if (action.kind === 'search') return action.query
  return action.kind === 'read' ? action.urls.join('\n') : null
}

function found(observation: Observation | undefined): string | null {
  if (observation === undefined || observation.documents.length === 0) return null
  return observation.documents.map(({ title, text }) => (title === undefined ? text : `${title}: ${text}`)).join('\n\n')
}
