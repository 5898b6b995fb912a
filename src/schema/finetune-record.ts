import { z } from 'zod'

/** What one step of supervised fine-tuning measured. */
export interface FinetuneRecord {
  /** Number of the step, from 1. */
  step: number
  /** How often the examples have been seen by then: 1.5 in the middle of the second time. */
  epoch: number
  /** Mean negative log-likelihood of the batch's trained tokens before the step, in nats. */
  loss: number
  /** The same of the held-out examples, after the step, where it was measured. */
  heldOutLoss?: number
  /** That of the step. */
  learningRate: number
  /** Global norm of the gradient before clipping. */
  gradNorm: number
  /** Ids of the batch, trained or not. */
  tokens: number
  /** Wall time of the step, without what was compiled for it and without the held-out loss. */
  seconds: number
}

export const finetuneRecordSchema: z.ZodType<FinetuneRecord> = z.object({
  step: z.int().min(1),
  epoch: z.number(),
  loss: z.number(),
  heldOutLoss: z.number().exactOptional(),
  learningRate: z.number(),
  gradNorm: z.number(),
  tokens: z.int(),
  seconds: z.number(),
})
