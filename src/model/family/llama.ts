import { z } from 'zod'
import { commonArchitecture, commonFields, commonNames } from './common.js'
import { defineFamily } from './family.js'

/** Llama 2 and 3, and the many models in their layout. */
export const llama = defineFamily({
  fields: commonFields.extend({ attention_bias: z.boolean().default(false) }),
  architecture: (file) => ({
    ...commonArchitecture(file),
    attentionBias: { qkv: file.attention_bias, o: file.attention_bias },
  }),
  weightNames: commonNames,
})
