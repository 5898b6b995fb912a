import { z } from 'zod'
import { withProgress } from '../host/progress.js'
import type { Report } from '../host/progress.js'
import { aFunction, anAbortSignal, anObject, parseOptions } from '../schema/parse-options.js'
import { errorMessage } from '../file/write-error.js'
import type { Trainable } from './loss-function.js'
import { whenFree } from './exclusive.js'
import { chooseMicrobatchTokens, freeBytes } from './memory-model.js'
import { memorySetup } from './memory-setup.js'
import { optimizerSettings } from './optimizer.js'
import type { OptimizerSettings } from './optimizer.js'
import { createSupervisedLearner, totalWeight } from './supervised-learner.js'
import type { Example } from './supervised-learner.js'

export type { Example }

/** Options of `trainSupervised`. */
export interface SupervisedOptions extends Partial<OptimizerSettings> {
  /**
   * Its weights, or its adapter's, are changed in place: a loaded policy, or a config, weights and the tokenizer that gave
   * the ids.
   */
  policy: Trainable
  /** Number of optimizer steps. */
  steps: number
  /** Gives the examples of a step (from 0). */
  batch: (step: number) => readonly Example[]
  /** A number, or the learning rate of a step (from 0). */
  learningRate: number | ((step: number) => number)
  /** Ids of a microbatch, padding included; memory grows with it. Default: 4096, or what fits into the free memory. */
  microbatchTokens?: number
  /** Compute matrix products in bfloat16; default true. */
  bfloat16?: boolean
  /** Several short examples share a row; they do not see each other. Losses and gradients are the same. Default false. */
  packing?: boolean
  /** After each step. May be asynchronous: training waits. */
  onStep?: (record: SupervisedRecord) => void | Promise<void>
  /** Shows a bar with the time left. Default: true, unless `onStep` is given. */
  progress?: boolean
  /** Ends training after the step under way. */
  signal?: AbortSignal
}

/** What one step of supervised training measured. */
export interface SupervisedRecord {
  /** Number of the step, from 0. */
  step: number
  /** Weighted mean negative log-likelihood of the batch, in nats per token. */
  loss: number
  /** Global norm of the gradient before clipping. */
  gradNorm: number
  /** That of the step. */
  learningRate: number
  /** Ids of the batch, trained or not. */
  tokens: number
}

const rate = z.number().min(0)

const optionsSchema = z.strictObject({
  policy: anObject<Trainable>('a model of loadModel'),
  steps: z.int().min(1),
  batch: aFunction<SupervisedOptions['batch']>(),
  learningRate: z.union([rate, aFunction<(step: number) => number>()], {
    error: 'must be a finite number of at least 0, or a function of the step',
  }),
  microbatchTokens: z.int().min(1).exactOptional(),
  bfloat16: z.boolean().default(true),
  packing: z.boolean().default(false),
  onStep: aFunction<NonNullable<SupervisedOptions['onStep']>>().exactOptional(),
  progress: z.boolean().exactOptional(),
  signal: anAbortSignal().exactOptional(),
  ...optimizerSettings,
})

/** What the caller's functions give for one step. */
const stepSchema = (vocabulary: number, longest: number) =>
  z.strictObject({
    learningRate: rate,
    examples: z
      .array(
        z
          .object({
            ids: z
              .array(z.int().min(0).lt(vocabulary))
              .min(1)
              .max(longest, `must hold at most ${longest} ids, the positions of the model`),
            tokenWeights: z.array(z.number().min(0)),
          })
          .refine(({ ids, tokenWeights }) => ids.length === tokenWeights.length, {
            path: ['tokenWeights'],
            error: 'must hold one weight for each id',
          }),
      )
      .min(1),
  })

/**
 * Supervised steps on examples that are made as they go, where `finetune` has a list of them: the policy's weights, or those
 * of its adapter where it has one, are changed in place, by AdamW without weight decay unless asked for. It
 * begins when no other training holds the policy, for one that was stopped may still be at work.
 * @returns what each step measured; `zs.plot.lossCurve` shows it
 * @throws where an option or an example is not what it must be, or the loss is not finite, with the weights as they were
 * before that step
 */
export async function trainSupervised(options: SupervisedOptions): Promise<SupervisedRecord[]> {
  const settings = parseOptions('trainSupervised', optionsSchema, options)
  const { steps, progress = settings.onStep === undefined } = settings
  return withProgress({ title: 'trainSupervised', unit: 'steps', total: steps, progress }, (report) =>
    whenFree('trainSupervised', [settings.policy], () => makeSteps(settings, report)),
  )
}

async function makeSteps(settings: z.infer<typeof optionsSchema>, report: Report): Promise<SupervisedRecord[]> {
  const { policy, steps, batch, learningRate, bfloat16, onStep, signal, optimizerStates } = settings
  const { config } = policy
  const memory = memorySetup({ policy, bfloat16, optimizerStates, reference: 'none' })
  const microbatchTokens =
    settings.microbatchTokens ?? chooseMicrobatchTokens(memory, freeBytes(), Math.min(4096, config.maxPositions))
  const schema = stepSchema(policy.tokenizer.vocabSize, config.maxPositions)
  const learner = await createSupervisedLearner(policy, { ...settings, microbatchTokens, memory })
  const records: SupervisedRecord[] = []
  try {
    for (let step = 0; step < steps && !signal?.aborted; step++) {
      const { examples, learningRate: stepRate } = parseOptions(`trainSupervised, step ${step}`, schema, {
        learningRate: typeof learningRate === 'number' ? learningRate : learningRate(step),
        examples: batch(step),
      })
      if (!(totalWeight(examples) > 0))
        throw new Error(`trainSupervised: step ${step} has no token with a weight above 0`)
      const measured = await learner.step(examples, stepRate, step).catch((error: unknown) => {
        throw new Error(`trainSupervised, step ${step}: ${errorMessage(error)}`, { cause: error })
      })
      const tokens = examples.reduce((sum, example) => sum + example.ids.length, 0)
      report(step + 1, { note: `loss ${measured.loss.toPrecision(3)}` })
      const record = { step, ...measured, learningRate: stepRate, tokens }
      records.push(record)
      await onStep?.(record)
    }
    return records
  } finally {
    learner.dispose()
  }
}
