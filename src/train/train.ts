import { resolve } from 'node:path'
import { withProgress } from '../host/progress.js'
import type { Report } from '../host/progress.js'
import type { FolderWriter } from '../file/write-folder.js'
import { interruptSignal } from '../host/jupyter.js'
import type { FailureCause } from '../schema/failure-summary.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { noiseThreshold } from '../simulator/curriculum.js'
import { learningRateAt } from './learning-rate.js'
import { chooseMicrobatchTokens, freeBytes } from './memory-model.js'
import { memorySetup } from './memory-setup.js'
import { recordedMetrics } from './metrics.js'
import { whenFree, rejectWhenStopped } from './exclusive.js'
import { playBatch, questionDrawer } from './play-batch.js'
import type { BatchMeasures } from './play-batch.js'
import { createLearner, runConfigOf } from './run-config.js'
import { TRAINING, openRunFolder, resumeRun, savedMicrobatchTokens, saveRun } from './run-folder.js'
import { checkResumable, runManifest } from './run-manifest.js'
import { createRunSaver } from './run-saver.js'
import { workClock } from './work-clock.js'
import { parseTrainOptions } from './train-options.js'
import type { CheckedOptions, TrainOptions } from './train-options.js'

/**
 * Trains a policy to search (arXiv 2505.04588): rollouts, rewards, one step of the algorithm; again. The policy's weights
 * change in place. Settings default to the paper's where it names them; `RunConfig` lists each.
 * @returns one record for each update, those before a resumption included
 * @throws {TrainingStopped} as soon as `signal` aborts
 * @throws where an option is not what it must be, more than `maxFailedShare` of a batch's rollouts fail, loss or gradient is
 * not finite, or the run cannot be saved at its end; the policy keeps what it has learned before
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
    const running = whenFree([policy, saveTo && resolve(saveTo)], async () => {
      const folder = saveTo === undefined ? undefined : await openRunFolder(saveTo, checked)
      try {
        return await runUpdates(checked, signal, progress, folder, report)
      } finally {
        await folder?.close()
      }
    })
    return signal
      ? rejectWhenStopped(running, signal, (ended) => new TrainingStopped(progress, checked, ended))
      : running
  })
}

/** How far a run is. */
export interface Progress {
  /** The update under way, from 1. */
  update: number
  /** True as soon as the run has something to save: an update made, or its optimizer step begun. */
  saves: boolean
}

/** What a stopped training rejects with: how far it came, and how to go on. */
export class TrainingStopped extends Error {
  /** Tells it from errors. */
  override name = 'TrainingStopped'

  /** @internal */
  constructor(
    progress: Progress,
    options: Pick<CheckedOptions, 'updates' | 'saveTo' | 'resume'>,
    /** Settles when what was under way has ended and the run is saved; rejects where it could not be. */
    readonly ended: Promise<void>,
    unit: 'update' | 'step' = 'update',
  ) {
    super(`Stopped in ${unit} ${progress.update} of ${options.updates}. ${whatRemains(progress, options)}`)
    // It's no fault, so its place says nothing.
    this.stack = `${this.name}: ${this.message}`
  }
}

function whatRemains({ saves }: Progress, { saveTo, resume }: Pick<CheckedOptions, 'saveTo' | 'resume'>): string {
  const ends = 'An optimizer step under way ends in the background.'
  if (saves && saveTo === undefined)
    return `${ends} The policy keeps what it has learned; without saveTo the run is not saved.`
  if (saves) return `${ends} The run is then saved in ${saveTo}; \`resume: true\` goes on with it.`
  const nothing = 'No update was made, so there is nothing to save'
  return resume ? `${nothing}; ${saveTo} is as it was, and \`resume: true\` goes on with it.` : `${nothing}.`
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
  try {
    const records = options.resume
      ? await resumeRun(
          folder!.folder,
          policy,
          learner,
          (saved, made) => checkResumable(folder!.folder, saved, manifest, options.allowChanges, made),
          TRAINING,
        )
      : []
    report(records.length, { doneBefore: records.length, results: records })
    const save = (): Promise<void> => saveRun(folder!, policy, learner, { manifest, records }, TRAINING)
    const saver = folder && createRunSaver(folder.folder, options.saveEvery, records.length, save)
    progress.saves = records.length > 0
    progress.update = Math.min(records.length + 1, updates)
    for (let drawn = 0; drawn < records.length * questionsPerUpdate; drawn++) draw()
    try {
      for (let update = records.length; update < updates && !signal?.aborted; update++) {
        progress.update = update + 1
        const threshold = noiseThreshold(curriculum, update, updates)
        const lap = workClock()
        const asked = Array.from({ length: questionsPerUpdate }, draw)
        const { trajectories, groups, measured } = await playBatch(options, asked, update, threshold, signal)
        const rolledOut = lap()
        failures(update + 1, measured)
        if (signal?.aborted) break
        progress.saves = true
        const learningRate = learningRateAt(config, update)
        const step = await withProgress({ title: 'learning' }, () => learner.step(groups, learningRate))
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
        }
        records.push(record)
        report(records.length, {
          note: `reward ${record.reward.toFixed(3)}, EM ${record.em.toFixed(3)}`,
          results: records,
        })
        // A copy: what the user's code does with it is no part of the run.
        const metrics = recordedMetrics(await options.onUpdate?.(structuredClone(record), trajectories), update + 1)
        if (metrics) record.metrics = metrics
        await saver?.afterUpdate(records.length)
      }
    } catch (error) {
      await saver?.atEnd(records.length, error)
      throw error
    }
    await saver?.atEnd(records.length)
    return records
  } finally {
    learner.dispose()
  }
}

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
