import { klEstimates } from '../algorithm/kl-estimate.js'
import { hasVariance } from '../algorithm/group-advantage.js'
import { withProgress } from '../host/progress.js'
import type { TokenView, ViewedToken } from '../schema/token-view.js'
import type { Trajectory } from '../schema/trajectory.js'
import { tokenTexts } from '../tokenizer/token-texts.js'
import { compileValues, readValues } from './critic.js'
import type { Group } from './learner.js'
import { compileTargetLogprobs, modelWeights } from './loss-function.js'
import type { ModelWeights, Trainable } from './loss-function.js'
import type { Sequence } from './rows.js'
import { createRewardShaping } from './policy-gradient.js'
import { rewardAll } from './rewarded.js'
import { advantagesOf } from './run-config.js'
import type { RunConfig } from './run-config.js'
import { readSavedNetworks } from './saved-networks.js'
import { rolloutMicrobatches } from './microbatch.js'
import { readRows } from './target-rows.js'
import type { TokenRows } from './target-rows.js'
import { tokenOrigins } from './token-sources.js'
import { parseViewOptions } from './token-view-options.js'
import type { CheckedViewOptions, TokenViewOptions } from './token-view-options.js'
import { sequenceOf, trainedBatch } from './trained-batch.js'

/**
 * A trajectory token by token: where each comes from, and of the policy's own its log-probabilities under sampler and
 * trainer, their ratio, and, where there is something to compare with, divergence, value and advantage. Nothing is changed;
 * inside of `onUpdate` the policy is that after the update.
 * @throws where an option is not what it must be, the trajectory is of another tokenizer, or PPO's advantages are asked for
 * without a run whose critic gives the values
 * @example
 * const items = Array.from({ length: 5 }, (_, seed) => ({ question, seed }))
 * const group = await zs.rollOutMany(policy, items, { searchEngine: simulator })
 * await zs.display(await zs.tokenView(group[0], { policy, batch: group, algorithm: 'grpo' }))
 */
export async function tokenView(trajectory: Trajectory, options: TokenViewOptions): Promise<TokenView> {
  const checked = await parseViewOptions(trajectory, options)
  const { policy, reference, progress } = checked
  checkModels(trajectory, checked)
  return withProgress({ title: 'tokenView', progress }, async () => {
    const saved = checked.run === undefined ? undefined : await readSavedNetworks(checked.run, policy)
    try {
      const { trainable, frozen } = modelWeights(policy)
      const networks: Networks = {
        policy: { model: policy, weights: { trainable, frozen } },
        ...(saved?.critic && { critic: saved.critic }),
      }
      if (reference) networks.reference = { model: reference, weights: modelWeights(reference) }
      else if (saved?.reference) networks.reference = { model: policy, weights: saved.reference }
      else if (policy.adapter) networks.reference = { model: policy, weights: { trainable: {}, frozen } }
      return await viewOf(trajectory, checked, networks)
    } finally {
      saved?.dispose()
    }
  })
}

interface Network {
  model: Trainable
  weights: ModelWeights
}

interface Networks {
  policy: Network
  reference?: Network
  /** With a value head. */
  critic?: ModelWeights
}

function checkModels({ ids }: Trajectory, { policy, reference, batch = [] }: CheckedViewOptions): void {
  const vocabulary = policy.tokenizer.vocabSize
  for (const all of [ids, ...batch.map((each) => each.ids)]) {
    const strange = all.find((id) => id >= vocabulary)
    if (strange !== undefined)
      throw new Error(
        `tokenView: ids must be of the policy's vocabulary of ${vocabulary}, got ${strange}; take the policy that played it`,
      )
    const { maxPositions } = policy.config
    if (all.length > maxPositions)
      throw new Error(`tokenView: ids must fit into the policy's ${maxPositions} positions, got ${all.length}`)
  }
  const other = reference?.tokenizer.vocabSize ?? vocabulary
  if (other !== vocabulary)
    throw new Error(
      `tokenView: reference must have the policy's vocabulary of ${vocabulary} ids, got ${other}; take a model of the same family`,
    )
}

async function viewOf(trajectory: Trajectory, options: CheckedViewOptions, networks: Networks): Promise<TokenView> {
  const { policy, batch } = options
  const measured = await measure([sequenceOf(trajectory)], options, networks)
  const judged = batch && (await judge(trajectory, batch, options, networks))
  const texts = tokenTexts(policy.tokenizer, trajectory.ids)
  const origins = tokenOrigins(trajectory, texts, policy.tokenizer)
  const tokens = trajectory.ids.map((id, place): ViewedToken => ({
    ...{ place, id, text: texts[place]!, ...origins[place]! },
    mask: trajectory.lossMask[place] === 1 ? 1 : 0,
  }))
  const { klEstimator, klClamp } = options
  const trainer = measured.logprobs[0]!
  const kl =
    measured.refLogprobs && klEstimates(trainer, measured.refLogprobs[0]!, { estimator: klEstimator, clamp: klClamp })
  const values = measured.values?.[0]
  sequenceOf(trajectory).trained.forEach((place, t) => {
    const samplerLogprob = trajectory.logprobs[place]!
    const trainerLogprob = trainer[t]!
    Object.assign(tokens[place]!, {
      ...{ samplerLogprob, trainerLogprob, ratio: Math.exp(trainerLogprob - samplerLogprob) },
      ...(kl && { kl: kl[t] }),
      ...(values && { value: values[t] }),
      ...(judged?.returns && { return: judged.returns[t] }),
      ...(judged?.advantages && { advantage: judged.advantages[t] }),
    } satisfies Partial<ViewedToken>)
  })
  const { question, answer, stopReason } = trajectory
  return {
    ...{ question: question.question, answer, stopReason, policy: policy.name },
    ...(judged && { algorithm: options.algorithm }),
    ...(judged?.reward !== undefined && { reward: judged.reward }),
    ...(kl && { klEstimator }),
    tokens,
  }
}

/** What the networks say of trained tokens; without a network there are no rows. */
async function measure(
  sequences: readonly Sequence[],
  options: CheckedViewOptions,
  { policy, reference, critic }: Networks,
): Promise<{ logprobs: TokenRows; refLogprobs?: TokenRows; values?: TokenRows }> {
  const logprobs = await readLogprobs(policy, sequences, options)
  const refLogprobs = reference && (await readLogprobs(reference, sequences, options))
  const values = critic && (await readCritic(policy.model, critic, sequences, options))
  return { logprobs, ...(refLogprobs && { refLogprobs }), ...(values && { values }) }
}

async function readLogprobs({ model, weights }: Network, sequences: readonly Sequence[], options: CheckedViewOptions) {
  const logprobs = compileTargetLogprobs(model, options)
  try {
    const batches = rolloutMicrobatches(sequences, model.config, options.microbatchTokens)
    return await readRows(sequences, batches, async (inputs) => (await logprobs(inputs, weights)).logprobs)
  } finally {
    logprobs.dispose()
  }
}

async function readCritic(
  model: Trainable,
  critic: ModelWeights,
  sequences: readonly Sequence[],
  options: CheckedViewOptions,
): Promise<number[][]> {
  const values = compileValues(model, options)
  try {
    const batches = rolloutMicrobatches(sequences, model.config, options.microbatchTokens)
    return await readValues(values, critic, sequences, batches)
  } finally {
    values.dispose()
  }
}

/** What the batch says of one of its trajectories: nothing of one that failed, or whose group is left out. */
interface Judged {
  reward?: number
  advantages?: readonly number[]
  returns?: readonly number[]
}

async function judge(
  trajectory: Trajectory,
  batch: readonly Trajectory[],
  options: CheckedViewOptions,
  networks: Networks,
): Promise<Judged> {
  const place = batch.findIndex((member) => isSame(member, trajectory))
  if (place < 0)
    throw new Error('tokenView: batch must hold the trajectory, and does not; give the trajectories it was played with')
  const rewarded = await rewardAll(batch, options.reward)
  const { reward, trajectory: judged } = rewarded[place]!
  if (judged.stopReason === 'failed') return {}
  const groups = groupsOf(batch, options.groupSize).map((places) =>
    places.filter((member) => rewarded[member]!.trajectory.stopReason !== 'failed'),
  )
  const rewardsOf = (places: readonly number[]): number[] => places.map((member) => rewarded[member]!.reward)
  const taught = groups.filter(
    (places) => places.length > 0 && (options.dropEvenGroups !== true || hasVariance(rewardsOf(places))),
  )
  const row = taught.flat().indexOf(place)
  if (row < 0) return { reward }
  const { sequences, groupSizes } = trainedBatch(
    taught.map((places): Group => {
      const trajectories = places.map((member) => batch[member]!)
      return { question: trajectories[0]!.question, trajectories, rewards: rewardsOf(places) }
    }),
  )
  const oldLogprobs = sequences.map(({ samplerLogprobs }) => samplerLogprobs)
  const { reference, critic } = networks
  const shapes = reference !== undefined && options.klIn === 'reward'
  const refLogprobs = shapes ? await readLogprobs(reference, sequences, options) : oldLogprobs
  if (options.algorithm === 'ppo' && !critic)
    throw new Error(
      "tokenView: run must be given for PPO's advantages, which need a critic; give the folder that the training was saved to, or leave batch out",
    )
  const values = critic && (await readCritic(networks.policy.model, critic, sequences, options))
  const config = options as unknown as RunConfig
  const rewards = createRewardShaping(config).rewards(sequences, groupSizes, { oldLogprobs, refLogprobs }, shapes)
  const { advantages, returns } = advantagesOf(rewards, config, values)
  return { reward, advantages: advantages[row]!, ...(returns && { returns: returns[row]! }) }
}

/** A copy, as one that was read from a file, stands for the trajectory. */
const isSame = (one: Trajectory, other: Trajectory): boolean =>
  one === other ||
  (one.seed === other.seed && one.question.id === other.question.id && one.ids.join() === other.ids.join())

/** Places of trajectories of one question that follow each other. */
function groupsOf(batch: readonly Trajectory[], groupSize = Infinity): number[][] {
  const groups: number[][] = []
  batch.forEach(({ question }, place) => {
    const last = groups.at(-1)
    const continues = last !== undefined && last.length < groupSize && batch[last[0]!]!.question.id === question.id
    if (continues) last.push(place)
    else groups.push([place])
  })
  return groups
}
