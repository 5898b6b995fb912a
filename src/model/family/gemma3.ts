import { z } from 'zod'
import { outputNormNames } from './common.js'
import { defineFamily } from './family.js'
import { everyNth, gemmaArchitecture, gemmaFields } from './gemma2.js'

const fields = gemmaFields.extend({
  sliding_window_pattern: z.number().int().positive().default(6),
  rope_local_base_freq: z.number().positive().default(10_000),
})

/** Layers that see all are scaled by `rope_scaling`, and turn by another frequency than those with a window. */
function ropeByLayerType(file: z.infer<typeof fields>): Record<string, object> {
  const nested: Record<string, unknown> = file.rope_parameters ?? {}
  const flat = Object.keys(nested).find((key) => typeof nested[key] !== 'object')
  if (flat !== undefined) throw new Error(`rope_parameters must be nested by type of layer, got ${flat}`)
  return {
    ...nested,
    full_attention: { rope_theta: file.rope_theta, ...(nested['full_attention'] ?? {}), ...file.rope_scaling },
    sliding_attention: { ...(nested['sliding_attention'] ?? {}) },
  }
}

/** Gemma 3's models of text alone (270M, 1B). */
export const gemma3 = defineFamily({
  fields,
  architecture: (file) => {
    if (file.attn_logit_softcapping != null)
      throw new Error('attn_logit_softcapping is not supported; Gemma 3 as transformers computes it has none')
    return {
      ...gemmaArchitecture(
        { ...file, rope_theta: null, rope_scaling: null, rope_parameters: ropeByLayerType(file) },
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
