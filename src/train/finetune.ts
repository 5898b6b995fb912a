import { resolve } from 'node:path'
import type { FolderWriter } from '../file/write-folder.js'
import { interruptSignal } from '../host/jupyter.js'
import { withProgress } from '../host/progress.js'
import type { Report } from '../host/progress.js'
import { cloneWeights, copyWeights, disposeWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { weightsDigest } from '../model/weights-digest.js'
import { createRandom, hash, shuffle } from '../random/seeded-random.js'
import type { FinetuneRecord } from '../schema/finetune-record.js'
import { hasLostPatience, lowestHeldOut } from './held-out-loss.js'
import { rejectWhenStopped, whenFree } from './exclusive.js'
import { checkFinetune, finetuneManifest } from './finetune-manifest.js'
import { parseFinetuneOptions } from './finetune-options.js'
import type { CheckedFinetune, FinetuneConfig, FinetuneOptions } from './finetune-options.js'
import type { LearnerState } from './learner.js'
import { learningRateAt } from './learning-rate.js'
import { modelWeights } from './loss-function.js'
import { chooseMicrobatchTokens, freeBytes } from './memory-model.js'
import { memorySetup } from './memory-setup.js'
import { prepareExamples } from './prepare-examples.js'
import { FINETUNING } from './run-file.js'
import { openRunFolder, resumeRun, savedMicrobatchTokens, saveRun } from './run-folder.js'
import type { SavedRun } from './run-folder.js'
import { createRunSaver } from './run-saver.js'
import { runSession } from './run-session.js'
import { createSupervisedLearner } from './supervised-learner.js'
import type { Example } from './supervised-learner.js'
import { TrainingStopped } from './training-stopped.js'
import type { Progress } from './training-stopped.js'
import { workClock } from './work-clock.js'

/**
 * Supervised fine-tuning: the model learns to say what the assistant says in examples, and nothing else of them counts. Its
 * weights, or those of its adapter, change in place, by AdamW. A run is saved, resumed and stopped as one of `train` is;
 * in its folder `metrics.jsonl` has the records.
 * @returns one record for each step, those before a resumption included; `zs.plot.lossCurve` shows them
 * @throws {TrainingStopped} as soon as `signal` aborts
 * @throws where an option is not what it must be, examples do not fit (with their number and places), the loss is not
 * finite, or the run cannot be saved at its end; the model keeps what it has learned before
 * @example
 * const records = await zs.finetune({
 *   model, examples: 'dialogues.jsonl', heldOut: 0.05, epochs: 2, learningRate: 1e-5, saveTo: 'runs/dialogues',
 * })
 * await zs.display(zs.plot.lossCurve(records))
 */
export async function finetune(options: FinetuneOptions): Promise<FinetuneRecord[]> {
  const checked = parseFinetuneOptions(options)
  const { model, saveTo, signal = interruptSignal() } = checked
  const progress: Progress = { update: 1, saves: false }
  // Its number of steps is known when the examples have been read.
  const whole = { ...checked, updates: 0 }
  const running = whenFree('finetune', [model, saveTo && resolve(saveTo)], async () => {
    const folder = saveTo === undefined ? undefined : await openRunFolder(saveTo, checked, FINETUNING)
    try {
      const data = await withProgress({ title: 'read examples', progress: checked.progress }, () =>
        examplesOf(checked, signal),
      )
      const steps = checked.epochs * Math.ceil(data.examples.length / checked.batchSize)
      whole.updates = steps
      const shown = { title: 'finetune', unit: 'steps', total: steps, progress: checked.progress }
      return await withProgress(shown, (report) => makeSteps(checked, data, steps, signal, progress, folder, report))
    } finally {
      await folder?.close()
    }
  })
  return signal
    ? rejectWhenStopped(running, signal, (ended) => new TrainingStopped(progress, whole, { ended, unit: 'step' }))
    : running
}

interface Data {
  examples: Example[]
  heldOut: Example[]
}

async function examplesOf(options: CheckedFinetune, signal: AbortSignal | undefined): Promise<Data> {
  const { model, heldOut, seed } = options
  const examples = await prepareExamples('examples', options.examples, model.tokenizer, options, signal)
  if (heldOut === undefined) return { examples, heldOut: [] }
  if (typeof heldOut !== 'number') {
    return { examples, heldOut: await prepareExamples('heldOut', heldOut, model.tokenizer, options, signal) }
  }
  const count = Math.max(1, Math.round(heldOut * examples.length))
  if (count >= examples.length)
    throw new Error(`finetune: heldOut must leave an example to learn from, got ${heldOut} of ${examples.length}`)
  const mixed = shuffle(createRandom(hash(seed, 0x68)), examples)
  return { examples: mixed.slice(count), heldOut: mixed.slice(0, count) }
}

/** Examples of a step (from 0): the next of the epoch's order. */
function batchDrawer(examples: readonly Example[], { batchSize, seed }: FinetuneConfig): (step: number) => Example[] {
  const perEpoch = Math.ceil(examples.length / batchSize)
  let drawn: { epoch: number; order: Example[] } | undefined
  return (step) => {
    const epoch = Math.floor(step / perEpoch)
    if (drawn?.epoch !== epoch) drawn = { epoch, order: shuffle(createRandom(hash(seed, 0x65, epoch)), examples) }
    const first = (step % perEpoch) * batchSize
    return drawn.order.slice(first, first + batchSize)
  }
}

async function makeSteps(
  options: CheckedFinetune,
  { examples, heldOut }: Data,
  steps: number,
  signal: AbortSignal | undefined,
  progress: Progress,
  folder: FolderWriter | undefined,
  report: Report,
): Promise<FinetuneRecord[]> {
  const { model, patience, bfloat16, optimizerStates } = options
  const memory = memorySetup({
    ...{ policy: model, bfloat16, optimizerStates },
    // The best weights are a copy, as a reference is.
    reference: patience === undefined ? 'none' : 'float32',
  })
  const saved = options.resume ? await savedMicrobatchTokens(folder!.folder) : undefined
  const longest = [...examples, ...heldOut].reduce((most, { ids }) => Math.max(most, ids.length), 1)
  const config: FinetuneConfig = {
    ...options,
    microbatchTokens: options.microbatchTokens ?? saved ?? chooseMicrobatchTokens(memory, freeBytes(), longest),
  }
  const manifest = finetuneManifest(config, model, examples, heldOut)
  const perEpoch = steps / config.epochs
  const evaluateEvery = config.evaluateEvery ?? perEpoch
  const draw = batchDrawer(examples, config)
  const { trainable } = modelWeights(model)
  const learner = await createSupervisedLearner(model, { ...config, memory })
  const best = patience === undefined ? undefined : await cloneWeights(trainable)
  const state = runState(learner.optimizer, best)
  try {
    const check = (was: Readonly<Record<string, unknown>>): void =>
      checkFinetune(folder!.folder, was, manifest, options.allowChanges)
    const resumed = options.resume ? await resumeRun(folder!.folder, model, state, check, FINETUNING) : undefined
    const records = resumed?.records ?? []
    const run: SavedRun<FinetuneRecord> | undefined = folder && {
      manifest,
      records,
      model: resumed ? resumed.model : { name: model.name, digest: await weightsDigest(model) },
      sessions: [...(resumed?.sessions ?? []), await runSession(records.length)],
      best: undefined,
      fault: undefined,
    }
    let isFirst = records.length === 0
    const save = async (): Promise<void> => {
      await saveRun(folder!, model, state, run!, FINETUNING, { isFirst })
      isFirst = false
    }
    const every = 'steps' in options.saveEvery ? { updates: options.saveEvery.steps } : options.saveEvery
    const saver = folder && createRunSaver(folder.folder, every, records.length, save, FINETUNING)
    const isOver = (): boolean => records.length >= steps || hasLostPatience(records, patience)
    report(records.length, { doneBefore: records.length, results: records })
    progress.saves = records.length > 0
    progress.update = Math.min(records.length + 1, steps)
    try {
      while (!isOver() && !signal?.aborted) {
        const step = records.length
        progress.update = step + 1
        const batch = draw(step)
        const learningRate = learningRateAt({ ...config, updates: steps }, step)
        const lap = workClock()
        progress.saves = true
        const { loss, gradNorm } = await learner.step(batch, learningRate, step).catch((error: unknown) => {
          throw new Error(`finetune, step ${step + 1}: ${error instanceof Error ? error.message : String(error)}`, {
            cause: error,
          })
        })
        const { seconds } = lap()
        const tokens = batch.reduce((sum, { ids }) => sum + ids.length, 0)
        const measures = heldOut.length > 0 && ((step + 1) % evaluateEvery === 0 || step + 1 === steps)
        const heldOutLoss = measures
          ? await withProgress({ title: 'held-out loss' }, () => learner.measure(heldOut))
          : undefined
        const record: FinetuneRecord = {
          step: step + 1,
          epoch: (step + 1) / perEpoch,
          loss,
          ...(heldOutLoss !== undefined && { heldOutLoss }),
          learningRate,
          gradNorm,
          tokens,
          seconds,
        }
        records.push(record)
        if (best && measures && lowestHeldOut(records)?.step === record.step) await copyWeights(trainable, best)
        if (best && isOver()) await copyWeights(best, trainable)
        const held = heldOutLoss === undefined ? '' : `, held out ${heldOutLoss.toPrecision(3)}`
        report(records.length, { note: `loss ${loss.toPrecision(3)}${held}`, results: records })
        await options.onStep?.(structuredClone(record))
        await saver?.afterUpdate(records.length)
      }
    } catch (error) {
      await saver?.atEnd(records.length, error)
      throw error
    }
    await saver?.atEnd(records.length)
    return records
  } finally {
    if (best) disposeWeights(best)
    learner.dispose()
  }
}

/** What a saved run keeps besides the model. */
function runState(optimizer: { moments: Weights; steps: number }, best: Weights | undefined) {
  return {
    state: (): LearnerState => ({
      weights: { optimizer: optimizer.moments, ...(best && { best }) },
      counters: { optimizerSteps: optimizer.steps },
    }),
    restore: ({ optimizerSteps }: LearnerState['counters']) => {
      optimizer.steps = optimizerSteps!
      return Promise.resolve()
    },
  }
}
