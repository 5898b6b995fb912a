import { z } from 'zod'
import { interruptSignal } from '../host/jupyter.js'
import { withProgress } from '../host/progress.js'
import { positiveInteger } from '../policy/sampling-options.js'
import { hash } from '../random/seeded-random.js'
import { f1 } from '../reward/answer-metrics.js'
import { containsAnswer } from '../reward/contains-answer.js'
import type { Reward } from '../reward/reward.js'
import type { Document } from '../schema/document.js'
import type { AuditedTrajectory, LeakAudit } from '../schema/leak-audit.js'
import { aFunction, anAbortSignal, anObject, parseOptions } from '../schema/parse-options.js'
import { documentSchema } from '../schema/record-schemas.js'
import type { Observation, Trajectory } from '../schema/trajectory.js'
import type { SearchEngine } from '../search/search-engine.js'
import { abortable } from '../signal/abortable.js'
import { shareOf } from '../statistics/share.js'
import { sideBySide } from './side-by-side.js'

/** Options of `auditLeaks`. */
export interface LeakAuditOptions {
  /**
   * What is asked in the simulator's place: the same LLM without the gold answer (`simulatorPrompt({ told: 'question' })`), a real
   * engine, or several.
   */
  without: SearchEngine | readonly SearchEngine[]
  /** How often each is asked for a query, with seeds of their own; the first is the trajectory's. Default 4. */
  samples?: number
  /** Documents of each search; default 5. */
  topK?: number
  /** What a trajectory was worth. Default: F1 of its answer, the paper's reward. */
  reward?: Reward
  /** Trajectories that are in work at a time. Default 16. */
  concurrency?: number
  /** Shows a bar with the time left. Default true. */
  progress?: boolean
  /** Gives up at once. Default: the stop button of the notebook. */
  signal?: AbortSignal
}

const engine = anObject<SearchEngine>('a search engine', ['search'])
const optionsSchema = z.strictObject({
  trajectories: z.array(anObject<Trajectory>('a trajectory')).min(1),
  without: z.union([z.array(engine).min(1), engine], 'must be a search engine, or a list of them'),
  samples: positiveInteger.default(4),
  topK: positiveInteger.default(5),
  reward: aFunction<Reward>().default(
    () =>
      ({ answer, question }: Trajectory) =>
        f1(answer, question.goldAnswers),
  ),
  concurrency: positiveInteger.default(16),
  progress: z.boolean().default(true),
  signal: anAbortSignal().exactOptional(),
})

const found = z.object({ documents: z.array(documentSchema) })

/**
 * Leak audit: how often a policy's answer stands in a document only because the simulator's prompt held the gold answer, and what reward
 * remains without those. Each query of a rewarded trajectory whose documents hold the answer is asked again of engines that do not know the
 * gold answer, with the question, quality and number of the search that the trajectory had. If none of their documents holds the
 * answer, the trajectory `leaked`.
 *
 * What that means, and what not:
 * - The gold answer is withheld, not the queries: a later query may already name what an earlier document leaked, and then counts as
 *   supported. For that the leaked share is too low.
 * - A text is random: with more `samples` an answer is found more often. For that it is too high; the first draw is the
 *   trajectory's own.
 * - A policy may have known the answer without its documents. `rewardWithoutLeaked` counts such a trajectory as 0, so it is the least
 *   that remains. What the policy would really do is a matter of playing: `replayTrajectories` with the same engine as `documents`,
 *   `compareEngines`, or a rollout with `maxSearches: 0`.
 * - Whether an answer stands in a text is judged by `containsAnswer`: "yes", "no" and single letters say little.
 * @throws where an option is not what it must be
 * @example
 * const withheld = zs.createSimulator(model, { prompt: zs.simulatorPrompt({ told: 'question' }) })
 * const items = questions.map((question, seed) => ({ question, seed }))
 * const trajectories = await zs.rollOutMany(policy, items, { searchEngine: simulator })
 * await zs.display(await zs.auditLeaks(trajectories, { without: [withheld, engine] }))
 */
export async function auditLeaks(trajectories: readonly Trajectory[], options: LeakAuditOptions): Promise<LeakAudit> {
  const checked = parseOptions('audit leaks', optionsSchema, { trajectories, ...options })
  const { samples, concurrency, progress, reward, signal = interruptSignal() } = checked
  const engines = Array.isArray(checked.without) ? checked.without : [checked.without]
  const task = { title: 'audit', unit: 'trajectories', total: trajectories.length, progress }
  const audited = await withProgress(task, (report) => {
    let done = 0
    return sideBySide(trajectories, concurrency, async (trajectory) => {
      signal?.throwIfAborted()
      const worth = trajectory.failure ? 0 : await reward(trajectory, { ...(signal && { signal }) })
      const outcome = await examine(trajectory, worth, engines, { ...checked, signal })
      report(++done)
      const { question, answer } = trajectory
      const { id: questionId, dataset } = question
      return { questionId, dataset, question: question.question, answer, reward: worth, ...outcome }
    })
  })
  const counted = audited.filter(({ verdict }) => verdict !== 'failed')
  const leaked = counted.filter(({ verdict }) => verdict === 'leaked')
  const rewarded = counted.filter(({ verdict }) => verdict !== 'unrewarded')
  const mean = (worth: (trajectory: AuditedTrajectory) => number): number | null =>
    counted.length === 0 ? null : counted.reduce((sum, each) => sum + worth(each), 0) / counted.length
  return {
    without: engines.map(({ name }) => name),
    samples,
    leaked: shareOf(leaked.length, counted.length),
    leakedOfRewarded: shareOf(leaked.length, rewarded.length),
    reward: mean((each) => each.reward),
    rewardWithoutLeaked: mean((each) => (each.verdict === 'leaked' ? 0 : each.reward)),
    trajectories: audited,
  }
}

type Outcome = Pick<AuditedTrajectory, 'verdict' | 'query' | 'document' | 'counterfactualDocuments' | 'failure'>
interface Asked {
  samples: number
  topK: number
  signal: AbortSignal | undefined
}

async function examine(
  trajectory: Trajectory,
  reward: number,
  engines: readonly SearchEngine[],
  asked: Asked,
): Promise<Outcome> {
  const { answer, failure, question, seed } = trajectory
  if (failure) {
    return { verdict: 'failed', counterfactualDocuments: 0, failure: `${failure.boundary}: ${failure.message}` }
  }
  if (answer === null || !(reward > 0)) return { verdict: 'unrewarded', counterfactualDocuments: 0 }
  const told = searchesOf(trajectory).filter(({ observation }) => holding(observation, answer))
  const [first] = told
  if (!first) return { verdict: 'untold', counterfactualDocuments: 0 }
  const shown = { query: first.query, document: textOf(holding(first.observation, answer)!) }
  let counterfactualDocuments = 0
  try {
    for (const { query, place, observation } of told) {
      for (const engine of engines) {
        for (let sample = 0; sample < asked.samples; sample++) {
          const { signal, topK } = asked
          const searchSeed = hash(seed, place)
          const context = {
            ...{ question, topK, seed: sample === 0 ? searchSeed : hash(searchSeed, sample) },
            ...(observation.quality && { quality: observation.quality }),
            ...(signal && { signal }),
          }
          const given: unknown = await abortable(engine.search(query, context), signal)
          const { documents } = parseOptions('search', found, { documents: given })
          counterfactualDocuments += documents.length
          if (documents.some((document) => containsAnswer(textOf(document), [answer])))
            return { verdict: 'supported', ...shown, counterfactualDocuments }
        }
      }
    }
    return { verdict: 'leaked', ...shown, counterfactualDocuments }
  } catch (error) {
    asked.signal?.throwIfAborted()
    const message = error instanceof Error ? error.message : String(error)
    return { verdict: 'failed', ...shown, counterfactualDocuments, failure: `counterfactual search: ${message}` }
  }
}

interface Search {
  query: string
  /** Number of the search, from 0, as the rollout counted. */
  place: number
  observation: Observation
}

function searchesOf({ turns }: Trajectory): Search[] {
  let place = 0
  return turns.flatMap(({ action, observation }) =>
    action.kind === 'search' && observation ? [{ query: action.query, place: place++, observation }] : [],
  )
}

const textOf = ({ title, text }: Document): string => (title === undefined ? text : `${title}: ${text}`)

/** The first document with the answer, where the policy saw it: long observations are cut. */
const holding = ({ documents, text }: Observation, answer: string): Document | undefined =>
  containsAnswer(text, [answer]) ? documents.find((document) => containsAnswer(textOf(document), [answer])) : undefined
