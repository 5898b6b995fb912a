import { z } from 'zod'
import { commonArchitecture, commonFields, commonNames, windowFields } from './common.js'
import type { Traits } from './common.js'
import { defineFamily } from './family.js'

export const qwenWindowFields = windowFields.extend({
  use_sliding_window: z.boolean().default(false),
  max_window_layers: z.number().int().default(28),
})

/** Qwen configs name a window that is mostly not in use: where it is switched on, the layers from `max_window_layers` on have it. */
export function qwenWindow(file: z.infer<typeof qwenWindowFields> & { num_hidden_layers: number }): Traits {
  const window = file.use_sliding_window ? (file.sliding_window ?? undefined) : undefined
  const layerTypes =
    file.layer_types ??
    Array.from({ length: file.num_hidden_layers }, (_, i) =>
      window !== undefined && i >= file.max_window_layers ? 'sliding_attention' : 'full_attention',
    )
  return { window, layerTypes }
}

/** Qwen2 and Qwen2.5. */
export const qwen2 = defineFamily({
  fields: commonFields.extend(qwenWindowFields.shape),
  architecture: (file) => ({
    ...commonArchitecture(file, qwenWindow(file)),
    attentionBias: { qkv: true, o: false },
  }),
  weightNames: commonNames,
})
