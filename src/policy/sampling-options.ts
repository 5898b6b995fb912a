import { z } from 'zod'
import type { GenerationLimits, Sampling } from './policy.js'

// What may be asked of a policy, checked at every door that takes it.

const temperature = 'must be 0 (greedy) or at least 0.001'

/** Under 0.001 scores overflow; that is greedy in all but name. */
export const temperatureSchema = z.number(temperature).refine((value) => value === 0 || value >= 0.001, temperature)

export const topPSchema = z.number().gt(0, 'must be more than 0; 1 keeps all tokens').max(1)

export const topKSchema = z
  .int()
  .min(0, 'must be at least 0; 0 keeps all tokens')
  .max(2 ** 31 - 1)

export const samplingSchema: z.ZodType<Sampling> = z.strictObject({
  temperature: temperatureSchema,
  topP: topPSchema,
  topK: topKSchema,
})

export const seedSchema = z.int()

export const positiveInteger = z.int('must be a positive integer').min(1, 'must be a positive integer')

export const stopSchema = z.array(z.string().min(1))

export const limitsSchema: z.ZodType<GenerationLimits> = z.strictObject({
  maxTokens: positiveInteger,
  stop: stopSchema,
})
