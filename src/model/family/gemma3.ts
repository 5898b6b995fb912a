import { z } from 'zod'
import { outputNormNames } from './common.js'
import { defineFamily } from './family.js'
import { everyNth, gemmaArchitecture, gemmaFields } from './gemma2.js'

/** Gemma 3's models of text alone (270M, 1B). */
export const gemma3 = defineFamily({
  fields: gemmaFields.extend({
    sliding_window_pattern: z.number().int().positive().default(6),
    rope_local_base_freq: z.number().positive().default(10_000),
  }),
  architecture: (file) => {
    if (file.attn_logit_softcapping != null)
      throw new Error('attn_logit_softcapping is not supported; Gemma 3 as transformers computes it has none')
    // transformers 4 scales the layers that see all, and turns the others by a frequency of their own.
    const nested = file.rope_parameters ?? {
      full_attention: { rope_theta: file.rope_theta, ...file.rope_scaling },
      sliding_attention: { rope_theta: file.rope_local_base_freq },
    }
    return {
      ...gemmaArchitecture(
        { ...file, rope_theta: null, rope_scaling: null, rope_parameters: nested },
        {
          layerTypes: file.layer_types ?? everyNth(file.num_hidden_layers, file.sliding_window_pattern),
          window: file.sliding_window ?? 4096,
          theta: { full_attention: 1e6, sliding_attention: file.rope_local_base_freq },
        },
      ),
      qkNorm: true,
    }
  },
  weightNames: outputNormNames,
})
