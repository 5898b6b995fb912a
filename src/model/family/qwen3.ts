import { z } from 'zod'
import { commonArchitecture, commonFields, commonNames } from './common.js'
import { defineFamily } from './family.js'
import { qwenWindow, qwenWindowFields } from './qwen2.js'

/** Qwen3, dense. */
export const qwen3 = defineFamily({
  fields: commonFields.extend({ ...qwenWindowFields.shape, attention_bias: z.boolean().default(false) }),
  architecture: (file) => ({
    ...commonArchitecture(file, { headDim: 128, ...qwenWindow(file) }),
    attentionBias: { qkv: file.attention_bias, o: file.attention_bias },
    qkNorm: true,
  }),
  weightNames: commonNames,
})
