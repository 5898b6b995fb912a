import { z } from 'zod'
import { withProgress } from '../host/progress.js'
import type { Policy } from '../policy/policy.js'
import { exactMatch } from '../reward/answer-metrics.js'
import { normalizeAnswer } from '../reward/normalize-answer.js'
import type { Counterfactual, Fate } from '../schema/counterfactual.js'
import type { Document, Quality } from '../schema/document.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import { documentSchema } from '../schema/record-schemas.js'
import type { Trajectory, Turn } from '../schema/trajectory.js'
import type { SearchEngine } from '../search/search-engine.js'
import { messageEnds } from './message-ends.js'
import { playOn } from './roll-out.js'
import { parseRolloutOptions } from './rollout-options.js'
import type { CheckedOptions, RolloutOptions } from './rollout-options.js'

/**
 * Documents in the place of those that a trajectory had: `useful` or `noisy` ones of the options' simulator, `empty` for none, `same`
 * for its own, those of another engine for the same query, or a list of one's own.
 */
export type OtherDocuments = Quality | 'empty' | 'same' | SearchEngine | readonly Document[]

/** Options of `replayTrajectory`; those of a rollout hold for the searches that follow. */
export interface ReplayTrajectoryOptions extends Omit<RolloutOptions, 'seed'> {
  /** What is found in the place of what was found. */
  documents: OtherDocuments
  /** The message, from 0, that these documents answer: a search. Default: the last search that was answered. */
  turn?: number
}

const NAMES = ['useful', 'noisy', 'empty', 'same'] as const
const otherDocuments: z.ZodType<OtherDocuments> = z.union(
  [z.enum(NAMES), z.array(documentSchema), anObject<SearchEngine>('', ['search'])],
  "must be 'useful', 'noisy', 'empty', 'same', a list of documents or a search engine",
)
const place = z.int().min(0).exactOptional()

/**
 * Counterfactual replay: a trajectory as it was up to one of its searches, then other documents, and from there on the policy plays
 * anew, greedily where `sampling` says nothing else. What comes before is not sampled again: its ids, texts and log-probabilities
 * are those of the trajectory. Later searches go to `searchEngine`, whose draws are those of the trajectory's seed.
 *
 * A trajectory that was sampled may change by the greedy continuation alone: compare with the replay of its `same`
 * documents, as `replayTrajectories` does. A training that stopped is replayed by `zs.replay`.
 * @returns the new trajectory; a failure is recorded in it, as in `rollOut`
 * @throws where an option is not what it must be, or the trajectory has no such search
 * @example
 * const other = await zs.replayTrajectory(policy, trajectory, { searchEngine: simulator, documents: 'noisy' })
 * console.log(trajectory.answer, 'became', other.answer)
 * await zs.display(other)
 */
export async function replayTrajectory(
  policy: Policy,
  trajectory: Trajectory,
  options: ReplayTrajectoryOptions,
): Promise<Trajectory> {
  const { documents, turn, ...rest } = options
  const given = parseOptions('replay', z.object({ documents: otherDocuments, turn: place }), { documents, turn })
  const checked = parsePlay(rest, trajectory)
  return withProgress({ title: 'replay', unit: 'turns', progress: checked.progress, asPart: false }, (report) => {
    const replayed = beginning(trajectory, turnOf(trajectory, given.turn))
    return playOn(policy, replayed, answeredBy(given.documents, trajectory, replayed, checked), report)
  })
}

/** Options of `replayTrajectories`. */
export interface ReplayTrajectoriesOptions extends Omit<ReplayTrajectoryOptions, 'documents'> {
  /** What is put in, by the name that tables and figures show. Default: useful, noisy and no documents. */
  documents?: Readonly<Record<string, OtherDocuments>>
}

/**
 * Replays many trajectories with other documents, and says of each what became of its answer. The answer that it is compared with
 * is that of a replay with the trajectory's own documents, so that greedy decoding alone changes nothing. Trajectories without an
 * answered search, and failed ones, are left out, with a warning.
 * @returns one record for each trajectory and each kind of documents, in this order
 * @throws as `replayTrajectory` does
 * @example
 * const trajectories = await zs.rollOutMany(policy, questions.map((question, seed) => ({ question, seed })), { searchEngine: simulator })
 * const replays = await zs.replayTrajectories(policy, trajectories, {
 *   searchEngine: simulator,
 *   documents: { noisy: 'noisy', none: 'empty', 'BM25': engine },
 * })
 * await zs.display(zs.counterfactualTable(replays))
 * await zs.display(zs.plot.counterfactuals(replays))
 */
export async function replayTrajectories(
  policy: Policy,
  trajectories: readonly Trajectory[],
  options: ReplayTrajectoriesOptions,
): Promise<Counterfactual[]> {
  const { documents = { useful: 'useful', noisy: 'noisy', empty: 'empty' }, turn, ...rest } = options
  const kinds = z.object({ documents: z.record(z.string().min(1), otherDocuments), turn: place })
  const given = parseOptions('replay', kinds, { documents, turn })
  const usable = trajectories.filter((each) => !each.failure && each.turns.some(isAnswered))
  if (usable.length < trajectories.length) {
    const left = trajectories.length - usable.length
    console.warn(
      `replay: ${left} of ${trajectories.length} trajectories failed or searched for nothing, and are left out`,
    )
  }
  const named: [string, OtherDocuments][] = [['same', 'same'], ...Object.entries(given.documents)]
  const common = parsePlay(rest, trajectories[0])
  const task = { title: 'replays', unit: 'rollouts', total: usable.length * named.length, progress: common.progress }
  return withProgress(task, async (report) => {
    let done = 0
    const all = usable.map(async (trajectory) => {
      const at = turnOf(trajectory, given.turn)
      const [before, ...others] = await Promise.all(
        named.map(async ([, put]) => {
          const replayed = beginning(trajectory, at)
          const checked = { ...common, seed: trajectory.seed }
          const played = await playOn(policy, replayed, answeredBy(put, trajectory, replayed, checked))
          report(++done)
          return played
        }),
      )
      return others.map((after, i) => counterfactual(named[i + 1]![0], at, before!, after))
    })
    return (await Promise.all(all)).flat()
  })
}

/** Greedy where nothing else is said. */
const parsePlay = (options: Omit<RolloutOptions, 'seed'>, trajectory: Trajectory | undefined): CheckedOptions =>
  parseRolloutOptions({
    ...options,
    sampling: options.sampling ?? { temperature: 0, topP: 1, topK: 0 },
    ...(trajectory && { seed: trajectory.seed }),
  })

const isAnswered = ({ action, observation }: Turn): boolean => action.kind === 'search' && observation !== undefined

function turnOf({ turns }: Trajectory, turn: number | undefined): number {
  const at = turn ?? turns.findLastIndex(isAnswered)
  const found = turns[at]
  if (found && isAnswered(found)) return at
  const places = turns.flatMap((each, i) => (isAnswered(each) ? [i] : []))
  throw new Error(
    `replay: turn must be a message that searched and was answered (${places.join(', ') || 'there is none'}), got ${turn ?? 'none'}`,
  )
}

/** The trajectory up to and with the policy's message at `turn`, which waits for its answer. */
function beginning(trajectory: Trajectory, turn: number): Trajectory {
  const end = messageEnds(trajectory)[turn]!
  const { question, promptLength, seed, ids, lossMask, logprobs } = trajectory
  const { observation: _, ...last } = trajectory.turns[turn]!
  return {
    ...{ question, promptLength, seed, answer: null, stopReason: 'maxTurns' },
    turns: [...trajectory.turns.slice(0, turn).map((each) => ({ ...each })), last],
    ids: ids.slice(0, end),
    lossMask: lossMask.slice(0, end),
    logprobs: logprobs.slice(0, end),
    searches: trajectory.turns.slice(0, turn).filter(({ action }) => action.kind === 'search').length,
  }
}

/** The options of a rollout whose next search finds these documents. */
function answeredBy(
  documents: OtherDocuments,
  { turns }: Trajectory,
  begun: Trajectory,
  options: CheckedOptions,
): CheckedOptions {
  const { searchEngine, quality: qualityOf } = options
  const own = turns[begun.turns.length - 1]!.observation!
  const first = begun.searches
  let asked = false
  const replaced: SearchEngine['search'] = async (query, context) => {
    if (documents === 'useful' || documents === 'noisy') return searchEngine.search(query, context)
    if (documents === 'empty') return []
    if (documents === 'same') return own.documents
    return 'search' in documents ? documents.search(query, context) : [...documents]
  }
  const asks =
    documents === 'useful' || documents === 'noisy' ? documents : documents === 'same' ? own.quality : undefined
  const quality = (search: number, seed: number): Quality | undefined =>
    search === first ? asks : qualityOf?.(search, seed)
  return {
    ...options,
    quality,
    searchEngine: {
      name: searchEngine.name,
      search(query, context) {
        if (asked) return searchEngine.search(query, context)
        asked = true
        return replaced(query, context)
      },
    },
  }
}

function counterfactual(documents: string, turn: number, before: Trajectory, after: Trajectory): Counterfactual {
  const { question, turns } = after
  const { action } = turns[turn]!
  const { id: questionId, dataset, goldAnswers } = question
  return {
    ...{ questionId, dataset, question: question.question, goldAnswers, documents, turn },
    query: action.kind === 'search' ? action.query : '',
    ...{ before: before.answer, after: after.answer, fate: fateOf(before, after) },
    emBefore: exactMatch(before.answer, goldAnswers),
    emAfter: exactMatch(after.answer, goldAnswers),
    trajectory: after,
  }
}

function fateOf(before: Trajectory, after: Trajectory): Fate {
  if (before.failure || after.failure) return 'failed'
  if (before.answer === null) return after.answer === null ? 'none' : 'gained'
  if (after.answer === null) return 'lost'
  const [a, b] = [before.answer, after.answer].map((answer) => normalizeAnswer(answer) || answer)
  return a === b ? 'kept' : 'changed'
}
