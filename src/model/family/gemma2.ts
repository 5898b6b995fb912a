import { z } from 'zod'
import { commonArchitecture, commonFields, outputNormNames, readActivation, windowFields } from './common.js'
import type { Traits } from './common.js'
import { defineFamily } from './family.js'
import type { Architecture } from './family.js'

export const gemmaFields = commonFields.extend({
  ...windowFields.shape,
  hidden_activation: z.string().default('gelu_pytorch_tanh'),
  tie_word_embeddings: z.boolean().default(true),
  attention_bias: z.boolean().default(false),
  query_pre_attn_scalar: z.number().positive().default(256),
  attn_logit_softcapping: z.number().positive().nullish(),
  final_logit_softcapping: z.number().positive().nullish(),
})

/** What Gemma 2 and 3 have in common. */
export function gemmaArchitecture(file: z.infer<typeof gemmaFields>, traits: Traits): Architecture {
  const { final_logit_softcapping: logitSoftCap } = file
  return {
    // `hidden_act` of Gemma's configs says nothing; `hidden_activation` is what is used.
    ...commonArchitecture({ ...file, hidden_act: 'silu' }, { headDim: 256, kvHeads: 4, ...traits }),
    embeddingScale: Math.sqrt(file.hidden_size),
    normOffset: 1,
    outputNorms: true,
    attentionBias: { qkv: file.attention_bias, o: file.attention_bias },
    attentionScale: file.query_pre_attn_scalar ** -0.5,
    activation: readActivation('hidden_activation', file.hidden_activation),
    ...(logitSoftCap != null && { logitSoftCap }),
  }
}

/** Types of layers where every `period`-th one sees all and the others have the window. */
export function everyNth(layers: number, period: number): string[] {
  return Array.from({ length: layers }, (_, i) => ((i + 1) % period ? 'sliding_attention' : 'full_attention'))
}

/** Gemma 2. */
export const gemma2 = defineFamily({
  fields: gemmaFields.extend({
    attn_logit_softcapping: z.number().positive().nullable().default(50),
    final_logit_softcapping: z.number().positive().nullable().default(30),
  }),
  architecture: (file) => {
    const { attn_logit_softcapping: attentionSoftCap } = file
    const layerTypes = file.layer_types ?? everyNth(file.num_hidden_layers, 2)
    return {
      ...gemmaArchitecture(file, { layerTypes, window: file.sliding_window ?? 4096 }),
      ...(attentionSoftCap !== null && { attentionSoftCap }),
    }
  },
  weightNames: outputNormNames,
})
