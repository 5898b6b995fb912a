import { interruptSignal } from '../host/jupyter.js'
import { withProgress } from '../host/progress.js'
import { watchMemory } from '../host/resident-memory.js'
import { neutralize } from '../search/neutralize.js'
import type { Forecast, MemoryParts } from '../schema/forecast.js'
import type { Question } from '../schema/question.js'
import type { Trajectory } from '../schema/trajectory.js'
import { abortable } from '../signal/abortable.js'
import { batchShapes, expectedShapes } from './batch-shapes.js'
import { whenFree } from './exclusive.js'
import { addedBytes, modelledMemory, refuseWhatCannotFit, sumOf } from './forecast-memory.js'
import type { RunMemory } from './forecast-memory.js'
import { modelWeights } from './loss-function.js'
import { chooseMicrobatchTokens, freeBytes, SMALLEST } from './memory-model.js'
import { memorySetup, sizeOf } from './memory-setup.js'
import type { Group } from './learner.js'
import type { Sequence } from './rows.js'
import { questionDrawer } from './play-batch.js'
import { compilingSeconds, probeRollouts, probeSteps, rolloutSecondsFor, secondsFor } from './probe.js'
import type { PlayedBatch } from './probe.js'
import { createLearner, runConfigOf } from './run-config.js'
import { sequenceOf } from './trained-batch.js'
import { parseTrainOptions } from './train-options.js'
import type { CheckedOptions, TrainOptions } from './train-options.js'

/**
 * What a training run will take, before it is begun: memory by part, time, tokens, searches. It takes what `train` takes.
 *
 * A short probe plays some of the run's first rollouts, with real searches and rewards, and makes optimizer steps of learning rate 0 on
 * them: the policy's weights stay as they are, and a run that follows is the same as without a forecast. What the probe
 * needs memory for is checked before it is done. Nothing is read or written in `saveTo`; `onUpdate` is not called.
 * @returns times, tokens and searches as the policy plays now: where it learns to write more, they grow
 * @throws where the run cannot fit into the memory that is free, with the parts and the options that would make it fit, for
 * `train` would be killed; where an option is not what `train` takes; and where more than `maxFailedShare` of the rollouts fail
 * @example
 * const options: zs.TrainOptions = {
 *   algorithm: 'grpo', policy, searchEngine: simulator, questions, curriculum: { start: 0, end: 0.5 }, updates: 200,
 * }
 * await zs.display(await zs.forecast(options))
 * await zs.train(options)
 */
export async function forecast(options: TrainOptions): Promise<Forecast> {
  return forecastWith(options, freeBytes)
}

/**
 * @internal
 * @param free Bytes that the process can still take.
 */
export async function forecastWith(options: TrainOptions, free: () => number): Promise<Forecast> {
  const checked = parseTrainOptions(options)
  const { policy, signal = interruptSignal(), progress } = checked
  return withProgress({ title: 'forecast', progress }, () => {
    const looking = whenFree([policy], () => look(checked, free(), signal))
    // A step under way ends by itself, and what the probe made is freed then.
    return abortable(looking, signal)
  })
}

async function look(options: CheckedOptions, free: number, signal: AbortSignal | undefined): Promise<Forecast> {
  const { policy, updates, questionsPerUpdate, groupSize } = options
  const sequence = (trajectory: Trajectory): Sequence => sequenceOf(trajectory, options.maskObservations)
  signal?.throwIfAborted()
  const microbatchTokens = microbatchTokensFor(options, free)
  const config = runConfigOf({ ...options, microbatchTokens })
  const count = questionsPerUpdate * groupSize
  const fullLength = Math.min(options.protocol.maxTokens, policy.contextLength)
  const started = performance.now()

  const prompts = promptsOf(options)
  const shortest = Math.max(...prompts.map(({ ids }) => ids.length))
  const runOf = (sequences: readonly Sequence[]): RunMemory => ({
    setup: memorySetup(options),
    microbatchTokens,
    slots: policy.slots,
    sequences,
    shortest,
  })
  refuseWhatCannotFit(runOf(filled(prompts, count)), free, 'by its prompts alone')

  const watch = watchMemory()
  try {
    const played = await probeRollouts(options, questionDrawer(options.questions, config.seed), signal)
    const rolloutPeak = watch.peak()
    refuseFailures(options, played)
    const batches = mostLearned(played)
    const sequences = batches.map((groups) => trajectoriesOf({ groups }).map(sequence)).reduce(longerOf)
    const run = runOf(filled(sequences, count))
    refuseWhatCannotFit(run, free, `with trajectories of up to ${longest(sequences)} ids, as the policy plays now`)

    const learned = (count * played.flatMap(trajectoriesOf).length) / played.reduce((sum, { count }) => sum + count, 0)
    const learner = await createLearner(policy, config)
    let steps
    try {
      steps = await probeSteps(learner, batches, learned, signal)
    } finally {
      learner.dispose()
    }
    const memory = withProcess(modelledMemory(run), modelledMemory(runOf(sequences)), rolloutPeak, watch.peak())
    const peakBytes = sumOf(memory)
    const full = modelledMemory(runOf(Array.from({ length: count }, (_, i) => sequenceOfLength(fullLength, i))))

    const rolloutSeconds = rolloutSecondsFor(count, policy.slots, played)
    const updateSeconds = secondsFor(learned, steps.measured)
    const shapesProbed = new Set(
      batches.flatMap((groups) => [
        ...batchShapes(trajectoriesOf({ groups }).map(sequence), { config: policy.config, microbatchTokens }),
      ]),
    )
    const shapes = expectedShapes(played.flatMap(trajectoriesOf).map(sequence), {
      ...{ count: Math.max(1, Math.round(learned)), updates, config: policy.config, microbatchTokens },
    })
    const warmUpSeconds = compilingSeconds(policy.slots, played) + (steps.warmUpSeconds / shapesProbed.size) * shapes
    const { trainable, frozen } = modelWeights(policy)
    const amounts = amountsOf(played, count)
    return {
      policy: policy.name,
      parameters: sizeOf(trainable) + sizeOf(frozen),
      trainedParameters: sizeOf(trainable),
      memory,
      peakBytes,
      peakBytesAtFullLength: peakBytes + Math.max(0, addedBytes(full) - addedBytes(modelledMemory(run))),
      fullLength,
      availableBytes: free,
      trajectoriesPerUpdate: count,
      ...amounts,
      rolloutSeconds,
      updateSeconds,
      warmUpSeconds,
      updates,
      totalSeconds: warmUpSeconds + updates * (rolloutSeconds + updateSeconds),
      totalTokens: updates * amounts.tokensPerUpdate,
      totalSearches: updates * amounts.searchesPerUpdate,
      probe: {
        trajectories: played.reduce((sum, { count }) => sum + count, 0),
        seconds: (performance.now() - started) / 1000,
      },
    }
  } finally {
    watch.end()
  }
}

const trajectoriesOf = ({ groups }: Pick<PlayedBatch, 'groups'>): Trajectory[] =>
  groups.flatMap(({ trajectories }) => [...trajectories])

/** What there is to learn in the one or two batches that have most of it: their shapes differ, as those of updates do. */
function mostLearned(played: readonly PlayedBatch[]): Group[][] {
  const learned = played.map(({ groups, count }) => ({ groups, count, size: trajectoriesOf({ groups }).length }))
  const largest = learned.reduce((most, batch) => (batch.size >= most.size ? batch : most))
  return learned
    .filter(({ count, size }) => count === largest.count && size > 0)
    .map(({ groups }) => groups)
    .slice(-2)
}

/** What an update of `count` rollouts has of each, failed ones counted as nothing, as a run's records do. */
function amountsOf(
  played: readonly PlayedBatch[],
  count: number,
): Pick<Forecast, 'tokensPerUpdate' | 'sampledTokensPerUpdate' | 'searchesPerUpdate'> {
  const trajectories = played.flatMap(trajectoriesOf)
  const scale = count / played.reduce((sum, { count }) => sum + count, 0)
  const perUpdate = (of: (trajectory: Trajectory) => number): number =>
    scale * trajectories.reduce((sum, trajectory) => sum + of(trajectory), 0)
  return {
    tokensPerUpdate: perUpdate(({ ids }) => ids.length),
    sampledTokensPerUpdate: perUpdate(({ lossMask }) => lossMask.filter((mask) => mask === 1).length),
    searchesPerUpdate: perUpdate(({ searches }) => searches),
  }
}

/** What `train` would choose. Where that refuses, the smallest: it is then refused here, with all that would help. */
function microbatchTokensFor(options: CheckedOptions, free: number): number {
  if (options.microbatchTokens !== undefined) return options.microbatchTokens
  try {
    return chooseMicrobatchTokens(memorySetup(options), free, options.policy.contextLength)
  } catch {
    return SMALLEST
  }
}

/**
 * What the process takes beside the run's parts, by what was resident: in rollouts, where what the optimization needs was not
 * there yet but will be, and in steps.
 */
function withProcess(
  run: Omit<MemoryParts, 'process'>,
  probe: Omit<MemoryParts, 'process'>,
  rolloutPeak: number,
  stepPeak: number,
): MemoryParts {
  const { weights, cache, activations, logits } = probe
  const beside = Math.max(stepPeak - sumOf(probe), rolloutPeak - weights - cache - activations - logits)
  return { ...run, process: Math.max(0, beside) }
}

/** The prompts of the run's first batch, as sequences of which one more token is trained. */
function promptsOf({ policy, protocol, questions, seed, questionsPerUpdate }: CheckedOptions): Sequence[] {
  const draw = questionDrawer(questions, seed)
  return Array.from({ length: questionsPerUpdate }, (): Sequence => {
    const { question }: Question = draw()
    const ids = [...protocol.prompt(policy.tokenizer, neutralize(question, policy.tokenizer)), 0]
    return { ids, trained: [ids.length - 1] }
  })
}

/** As many sequences as a batch has. */
const filled = (sequences: readonly Sequence[], count: number): Sequence[] =>
  Array.from({ length: count }, (_, i) => sequences[i % sequences.length]!)

/**
 * Half of it is trained: the rest are prompt and documents.
 * @param id Of which it is made: it shares its prompt with no other.
 */
function sequenceOfLength(length: number, id: number): Sequence {
  const ids = new Array<number>(length).fill(id)
  return { ids, trained: ids.flatMap((_, place) => (place >= length / 2 ? [place] : [])) }
}

const longest = (sequences: readonly Sequence[]): number => Math.max(...sequences.map(({ ids }) => ids.length))

const longerOf = (a: Sequence[], b: Sequence[]): Sequence[] => (longest(a) > longest(b) ? a : b)

function refuseFailures({ maxFailedShare }: CheckedOptions, played: readonly PlayedBatch[]): void {
  const failed = played.reduce((sum, { measured }) => sum + measured.failed, 0)
  const all = played.reduce((sum, { count }) => sum + count, 0)
  if (failed === 0 || (failed / all <= maxFailedShare && failed < all)) return
  const cause = played.flatMap(({ measured }) => measured.failures ?? [])[0]?.message.slice(0, 300) ?? 'unknown'
  throw new Error(
    `forecast: at most a share of ${maxFailedShare} of the rollouts may fail (maxFailedShare), but ${failed} of ${all} did, ` +
      `one by "${cause}"; mend what fails: in training it would be the same`,
  )
}
