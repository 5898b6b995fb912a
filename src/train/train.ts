import { resolve } from 'node:path'
import { withProgress } from '../host/progress.js'
import type { Report } from '../host/progress.js'
import type { FolderWriter } from '../file/write-folder.js'
import { interruptSignal } from '../host/jupyter.js'
import type { LocalModel } from '../language-model/local-model.js'
import type { FailureCause } from '../schema/failure-summary.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { noiseThreshold } from '../simulator/curriculum.js'
import { watchMemory } from '../host/resident-memory.js'
import type { BatchMeasures } from './batch-measures.js'
import { collapseResponse } from './on-collapse.js'
import type { Group, Learner, LearnerStep } from './learner.js'
import { learningRateAt } from './learning-rate.js'
import { modelWeights } from './loss-function.js'
import { chooseMicrobatchTokens, freeBytes } from './memory-model.js'
import { memorySetup } from './memory-setup.js'
import { recordedMetrics } from './metrics.js'
import { whenFree, rejectWhenStopped } from './exclusive.js'
import { NotFiniteError } from './not-finite.js'
import { playBatch, questionDrawer } from './play-batch.js'
import { keepReplay } from './replay.js'
import type { FailedStep } from './replay.js'
import { rollbackFactor } from './rollback.js'
import { createLearner, runConfigOf } from './run-config.js'
import type { RunConfig } from './run-config.js'
import { TRAINING } from './run-file.js'
import { openRunFolder, resumeRun, savedMicrobatchTokens } from './run-folder.js'
import { openRunKeeper } from './run-keeper.js'
import { checkResumable, runManifest } from './run-manifest.js'
import { hasSeveralSteps } from './minibatches.js'
import { rememberBatch } from './undo.js'
import { TrainingStopped } from './training-stopped.js'
import type { Progress } from './training-stopped.js'
import { collapseWarnings } from './watch.js'
import { workClock } from './work-clock.js'
import { parseTrainOptions } from './train-options.js'
import type { CheckedOptions, TrainOptions } from './train-options.js'

/**
 * Trains a policy to search (arXiv 2505.04588): rollouts, rewards, one step of the algorithm; again. The policy's weights
 * change in place. Settings default to the paper's where it names them; `RunConfig` lists each.
 * @returns one record for each update, those before a resumption included
 * @throws {TrainingStopped} as soon as `signal` aborts
 * @throws where an option is not what it must be, more than `maxFailedShare` of a batch's rollouts fail, loss or gradient is
 * not finite, or the run cannot be saved at its end; the policy keeps what it has learned before. Of a loss or gradient that is
 * not finite, the batch is kept in `saveTo` for `replay`
 * @example
 * const records = await zs.train({
 *   algorithm: 'grpo', policy, searchEngine: simulator, questions,
 *   curriculum: { start: 0, end: 0.5 }, updates: 200, saveTo: 'runs/first',
 * })
 * await zs.display(zs.plot.trainingCurves(zs.trainingTable(records)))
 */
export async function train(options: TrainOptions): Promise<UpdateRecord[]> {
  const checked = parseTrainOptions(options)
  const { policy, saveTo, signal = interruptSignal() } = checked
  const progress: Progress = { update: 1, saves: false }
  const shown = { title: 'train', unit: 'updates', total: checked.updates, progress: checked.progress }
  return withProgress(shown, (report) => {
    const running = whenFree('train', [policy, saveTo && resolve(saveTo)], async () => {
      const folder = saveTo === undefined ? undefined : await openRunFolder(saveTo, checked)
      try {
        return await runUpdates(checked, signal, progress, folder, report)
      } finally {
        await folder?.close()
      }
    })
    return signal
      ? rejectWhenStopped(running, signal, (ended) => new TrainingStopped(progress, checked, { ended }))
      : running
  })
}

async function runUpdates(
  options: CheckedOptions,
  signal: AbortSignal | undefined,
  progress: Progress,
  folder: FolderWriter | undefined,
  report: Report,
): Promise<UpdateRecord[]> {
  const { policy, questions, updates, questionsPerUpdate, curriculum } = options
  const config = runConfigOf({ ...options, microbatchTokens: await microbatchTokensOf(options, folder) })
  const manifest = runManifest(config, options)
  const draw = questionDrawer(questions, config.seed)
  const failures = failureWatch(options)
  const learner = await createLearner(policy, config)
  const memory = watchMemory()
  try {
    const resumed = options.resume
      ? await resumeRun(
          folder!.folder,
          policy,
          learner,
          (saved, made) => checkResumable(folder!.folder, saved, manifest, options.allowChanges, made),
          TRAINING,
        )
      : undefined
    const records = resumed?.records ?? []
    const onCollapse = collapseResponse(options, folder?.folder, learner)
    report(records.length, { doneBefore: records.length, results: records })
    let failed: FailedBatch | undefined
    const whenSaved = async (aside: string): Promise<void> => {
      if (failed) await keepReplay(aside, failed.step, failed.groups)
      await onCollapse.keep(aside, records)
    }
    const parts = { policy, learner, manifest, records, whenSaved }
    const keeper = folder && (await openRunKeeper(folder, options, parts, resumed))
    progress.saves = records.length > 0
    progress.update = Math.min(records.length + 1, updates)
    for (const { groups = questionsPerUpdate } of records) for (let drawn = 0; drawn < groups; drawn++) draw()
    if (records.length === 0 && onCollapse.isDue(records)) await keeper?.save()
    let paused: string | undefined
    try {
      for (let update = records.length; update < updates && !signal?.aborted; update++) {
        progress.update = update + 1
        const threshold = noiseThreshold(curriculum, update, updates)
        const lap = workClock()
        const { trajectories, groups, measured } = await playBatch(options, draw, update, threshold, signal)
        const rolledOut = lap()
        failures(update + 1, measured)
        if (signal?.aborted) break
        progress.saves = true
        const rateFactor = rollbackFactor(records)
        const learningRate = learningRateAt(config, update) * rateFactor
        const step = await learn(learner, policy, config, groups, { learningRate, rateFactor }).catch(
          (error: unknown) => {
            if (error instanceof NotFiniteError)
              failed = { groups, step: { update: update + 1, learningRate, rateFactor, message: error.message } }
            throw error
          },
        )
        const learned = lap()
        const record: UpdateRecord = {
          update: update + 1,
          ...measured,
          ...step,
          noiseThreshold: threshold,
          learningRate,
          rolloutSeconds: rolledOut.seconds,
          updateSeconds: learned.seconds,
          compileSeconds: rolledOut.compileSeconds + learned.compileSeconds,
          ...throughput(measured, rolledOut.seconds + learned.seconds),
          residentBytes: memory.peak(),
        }
        records.push(record)
        keeper?.played(update + 1, trajectories, groups)
        const warnings = collapseWarnings(records)
        if (warnings.length > 0) record.warnings = warnings
        report(records.length, {
          note: noteOf(record),
          results: records,
        })
        // A copy: what the user's code does with it is no part of the run.
        const metrics = recordedMetrics(await options.onUpdate?.(structuredClone(record), trajectories), update + 1)
        if (metrics) record.metrics = metrics
        if (update + 1 < updates) paused = await onCollapse.afterUpdate(records)
        await keeper?.afterUpdate(onCollapse.isDue(records))
        if (paused !== undefined) break
      }
    } catch (error) {
      await keeper?.atEnd(error, failed !== undefined)
      throw failed ? withReplay(error as Error, folder?.folder) : error
    }
    await keeper?.atEnd()
    if (paused !== undefined && !signal?.aborted) throw new TrainingStopped(progress, options, { pause: paused })
    return records
  } finally {
    memory.end()
    learner.dispose()
  }
}

const noteOf = ({ reward, em, warnings = [] }: UpdateRecord): string =>
  `reward ${reward.toFixed(3)}, EM ${em.toFixed(3)}` +
  (warnings.length > 0 ? `, warning of ${warnings.map(({ metric }) => metric).join(', ')}` : '')

const withReplay = (error: Error, folder: string | undefined): Error =>
  new Error(
    folder === undefined
      ? `${error.message}. With saveTo the batch would be kept for zs.replay`
      : `${error.message}. The batch is kept: zs.replay('${folder}') says which trajectory and token it comes from`,
    { cause: error },
  )

/** A batch whose step failed. */
interface FailedBatch {
  groups: readonly Group[]
  step: FailedStep
}

/** One batch. Where it fails, all is as it was before it. */
async function learn(
  learner: Learner,
  policy: LocalModel,
  config: RunConfig,
  groups: readonly Group[],
  { learningRate, rateFactor }: { learningRate: number; rateFactor: number },
): Promise<LearnerStep> {
  const count = groups.reduce((sum, { trajectories }) => sum + trajectories.length, 0)
  // One step changes nothing where it fails.
  const undo = hasSeveralSteps(config, count) ? await rememberBatch(modelWeights(policy).trainable, learner) : undefined
  try {
    return await withProgress({ title: 'learning' }, () => learner.step(groups, learningRate, rateFactor))
  } catch (error) {
    await undo?.restore()
    throw error
  }
}

const throughput = (
  { tokensPerTrajectory, trajectories }: BatchMeasures,
  seconds: number,
): Pick<UpdateRecord, 'tokensPerSecond'> =>
  seconds > 0 ? { tokensPerSecond: (tokensPerTrajectory * trajectories) / seconds } : {}

/** What was asked for, what the run to resume has, or what fits. */
async function microbatchTokensOf(options: CheckedOptions, folder: FolderWriter | undefined): Promise<number> {
  const saved = options.resume ? await savedMicrobatchTokens(folder!.folder) : undefined
  const { microbatchTokens = saved, policy } = options
  return microbatchTokens ?? chooseMicrobatchTokens(memorySetup(options), freeBytes(), policy.contextLength)
}

/** Looks at the failed rollouts of each update: warns of the first ones, throws where there are too many. */
function failureWatch({ maxFailedShare }: CheckedOptions): (update: number, measured: BatchMeasures) => void {
  let warned = false
  return (update, { failed, trajectories, failures = [] }) => {
    if (failed === 0) return
    const all = failed + trajectories
    const what = `${failed} of ${all} rollouts failed in update ${update}, the commonest cause is ${described(failures)}`
    if (failed / all > maxFailedShare) {
      throw new Error(
        `train: at most a share of ${maxFailedShare} of the rollouts may fail (maxFailedShare), but ${what}; ` +
          'mend what fails, or raise maxFailedShare. The policy is as it was before this update',
      )
    }
    if (warned) return
    warned = true
    console.warn(
      `train: ${what}. Failed rollouts are left out of learning and of all means; each record counts them in \`failed\`. ` +
        'This is said once a run.',
    )
  }
}

/** Characters of a cause that are shown: an engine's message may be a whole page. */
const SHOWN = 300

function described([cause]: readonly FailureCause[]): string {
  if (!cause) return 'unknown'
  const { message, count } = cause
  return `"${message.length > SHOWN ? `${message.slice(0, SHOWN)}…` : message}" (${count} times)`
}
