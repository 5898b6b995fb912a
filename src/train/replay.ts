import { access, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { fromJson, toJson } from '../file/any-json.js'
import type { Json } from '../file/any-json.js'
import { readJsonl, writeJsonl } from '../file/jsonl.js'
import { loadModel } from '../language-model/local-model.js'
import type { LocalModel } from '../language-model/local-model.js'
import { anObject, parseOptions } from '../schema/parse-options.js'
import { questionSchema } from '../schema/record-schemas.js'
import { isCause } from './examine-trajectories.js'
import type { ExaminedTrajectory } from './examine-trajectories.js'
import { whenFree } from './exclusive.js'
import type { Group, LearnerStep } from './learner.js'
import { NotFiniteError } from './not-finite.js'
import { createLearner, runConfigOf } from './run-config.js'
import type { RunConfig } from './run-config.js'
import { LASTING } from './run-file.js'
import { linkRun, restoreRun, savedManifest } from './run-folder.js'

/** Folder in a run's own: the run as it was before a batch, and the batch. */
const FOLDER = LASTING.replay
const FILES = { step: 'step.json', groups: 'groups.jsonl' }

/** A step that failed. */
export interface FailedStep {
  /** Number of the update, from 1. */
  update: number
  learningRate: number
  /** Half for each time that the run had gone back; it is in `learningRate` already. */
  rateFactor: number
  /** What was said. */
  message: string
}

/** Keeps a failed step and its batch beside the run that is being saved. */
export async function keepReplay(aside: string, step: FailedStep, groups: readonly Group[]): Promise<void> {
  const folder = join(aside, FOLDER)
  await linkRun(aside, folder)
  await writeJsonl(join(folder, FILES.groups), groups.map(toJson))
  await writeFile(join(folder, FILES.step), `${JSON.stringify(step, null, 2)}\n`)
}

/** Options of `replay`. */
export interface ReplayOptions {
  /** A model to use: its weights become those of the run. Default: the run's own is loaded, and freed at the end. */
  policy?: LocalModel
  /** Another learning rate than the step had. */
  learningRate?: number
}

/** What a replayed step gave. */
export interface Replay extends FailedStep {
  /** What is said now; absent where the step goes through. */
  error?: string
  /** What the step measured, where it goes through. */
  step?: LearnerStep
  /** Where the step fails: each trajectory that is learned from, alone, with the weights before that step. */
  trajectories: ReplayedTrajectory[]
  /**
   * The first token, of the first trajectory that has one, of which something is not finite by itself; where there is none, of
   * which something is that was computed from others, such as advantages.
   */
  firstFault?: TokenFault & { trajectory: number }
}

/** A trajectory of a replayed step, alone. */
export interface ReplayedTrajectory extends Pick<ExaminedTrajectory, 'loss' | 'gradNorm'> {
  /** Its place in the batch, from 0. */
  trajectory: number
  question: string
  reward: number
  firstFault?: TokenFault
}

/** A token of which something is not finite. */
export interface TokenFault extends NonNullable<ExaminedTrajectory['firstFault']> {
  /** The token's text. */
  token: string
}

const schema = z.strictObject({
  policy: anObject<LocalModel>('a model of loadModel', ['start', 'save']).exactOptional(),
  learningRate: z.number().min(0).exactOptional(),
})

/**
 * Makes a training step again that ended a run, as its loss or gradient was not finite: from the weights, the optimizer's
 * state and the batch that the run kept. Where it fails again, says which trajectories fail alone, and which token first.
 * Nothing in the folder changes.
 * @param folder The run's (`saveTo`), or `replay` in it.
 * @throws where there is no such batch, or the model does not fit
 * @example
 * const { error, firstFault, trajectories } = await zs.replay('runs/first')
 * console.log(error, firstFault, trajectories.filter(({ gradNorm }) => !Number.isFinite(gradNorm)).length)
 */
export async function replay(folder: string, options: ReplayOptions = {}): Promise<Replay> {
  const given = parseOptions('replay', schema, options)
  const place = await placeOf(folder)
  const said = stepSchema.parse(JSON.parse(await readFile(join(place, FILES.step), 'utf8')))
  const groups = await readJsonl(join(place, FILES.groups), groupLine, 'batch')
  const policy = given.policy ?? (await loadModel(join(place, 'policy')))
  try {
    return await whenFree('replay', [policy], async () => {
      const config = runConfigOf((await savedManifest(place)) as unknown as RunConfig)
      const learner = await createLearner(policy, config)
      try {
        await restoreRun(place, policy, learner)
        const step = await learner.step(groups, given.learningRate ?? said.learningRate, said.rateFactor)
        return { ...said, step, trajectories: [] }
      } catch (error) {
        if (!(error instanceof NotFiniteError)) throw error
        return report(said, error, await learner.examine(), groups, policy)
      } finally {
        learner.dispose()
      }
    })
  } finally {
    if (!given.policy) policy.dispose()
  }
}

async function placeOf(folder: string): Promise<string> {
  for (const place of [join(folder, FOLDER), folder]) {
    const found = await access(join(place, FILES.step)).then(
      () => true,
      () => false,
    )
    if (found) return place
  }
  throw new Error(
    `replay: ${folder} must hold a batch that ended a run (${FOLDER}/${FILES.step}), and holds none; a run with \`saveTo\` keeps it`,
  )
}

function report(
  said: FailedStep,
  error: Error,
  examined: readonly ExaminedTrajectory[],
  groups: readonly Group[],
  { tokenizer }: LocalModel,
): Replay {
  const all = groups.flatMap(({ question, trajectories, rewards }) =>
    trajectories.map(({ ids }, i) => ({ ids, question: question.question, reward: rewards[i]! })),
  )
  const trajectories = examined.map(({ ids, firstFault, ...values }): ReplayedTrajectory => {
    // A learner may have left out groups: ids tell which trajectory it is.
    const trajectory = all.findIndex((one) => one.ids === ids)
    const { question, reward } = all[trajectory]!
    const fault = firstFault && { ...firstFault, token: tokenizer.decode([ids[firstFault.place]!]) }
    return { trajectory, question, reward, ...values, ...(fault && { firstFault: fault }) }
  })
  const faulty = trajectories.filter(({ firstFault }) => firstFault !== undefined)
  const first = faulty.find(({ firstFault }) => isCause(firstFault!)) ?? faulty[0]
  return {
    ...said,
    error: error.message,
    trajectories,
    ...(first && { firstFault: { trajectory: first.trajectory, ...first.firstFault! } }),
  }
}

const stepSchema: z.ZodType<FailedStep, unknown> = z.object({
  update: z.int().min(1),
  learningRate: z.number(),
  rateFactor: z.number().default(1),
  message: z.string(),
})

/** Numbers, finite or not: one that is not may be what is looked for. */
const numbers = z.array(z.custom<number>((value) => typeof value === 'number'))

const groupLine = z
  .unknown()
  .transform((line) => fromJson(line as Json))
  .pipe(
    z.object({
      question: questionSchema,
      trajectories: z.array(z.looseObject({ ids: numbers, lossMask: numbers, logprobs: numbers })),
      rewards: numbers,
    }),
  ) as unknown as z.ZodType<Group>
