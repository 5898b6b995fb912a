import type { z } from 'zod'

/** How positions turn queries and keys. */
export interface Rope {
  theta: number
  /** Stretching of the wavelengths, for contexts longer than the model was first trained on. */
  scaling?: LinearScaling | Llama3Scaling
}

/** Every wavelength is longer by `factor`. */
export interface LinearScaling {
  type: 'linear'
  factor: number
}

/** Llama 3's: long wavelengths are stretched, short ones are not. */
export interface Llama3Scaling {
  type: 'llama3'
  factor: number
  lowFreqFactor: number
  highFreqFactor: number
  originalMaxPositions: number
}

/** What the loop over layers (forward.ts) needs to know of a model: sizes, and what one family does unlike another. */
export interface Architecture {
  /** Rows of the embedding; a tokenizer may use fewer. */
  vocabSize: number
  hiddenSize: number
  layers: number
  heads: number
  /** Heads of keys and values, each shared by `heads / kvHeads` query heads. */
  kvHeads: number
  headDim: number
  intermediateSize: number
  /** Longest sequence the model was made for. */
  maxPositions: number
  /** The output projection is the embedding. */
  tieWordEmbeddings: boolean
  /** Embeddings are multiplied by this; 1 in most families. */
  embeddingScale: number
  rmsNormEps: number
  /** A norm multiplies by its weight plus this. */
  normOffset: 0 | 1
  /** What attention and feed-forward give is normalised before it is added to the residual. */
  outputNorms: boolean
  attentionBias: { qkv: boolean; o: boolean }
  /** Queries and keys are normalised per head. */
  qkNorm: boolean
  /** Attention scores are products of queries and keys times this; 1 / √headDim in most families. */
  attentionScale: number
  /** Attention scores stay between ± this: s → cap · tanh(s / cap). Default: no bound. */
  attentionSoftCap?: number
  rope: Rope
  /** The layers in which a token sees only the last `window` tokens, itself among them. Default: none. */
  sliding?: { layers: readonly boolean[]; window: number; rope: Rope }
  /** Of the gated feed-forward. */
  activation: Activation
  /** Logits stay between ± this. Default: no bound. */
  logitSoftCap?: number
}

export type Activation = 'silu' | 'gelu_tanh'

/** Our key of a weight, with `{i}` for the layer, to its name in checkpoints. */
export type WeightNames = Readonly<Record<string, string>>

/** What makes a checkpoint of one `model_type` readable. To support another one, copy a file beside this one. */
export interface Family {
  /** Fields of config.json that this family reads; what is not among them must be at rest (see features.ts). */
  fields: z.ZodObject
  /** @throws where a field asks for what the loop cannot do */
  architecture(json: unknown): Architecture
  /** A model has those of them that its architecture calls for. */
  weightNames: WeightNames
}

/** A family from its fields and what they mean. */
export function defineFamily<F extends z.ZodObject>(family: {
  fields: F
  architecture: (file: z.infer<F>) => Architecture
  weightNames: WeightNames
}): Family {
  return { ...family, architecture: (json) => family.architecture(family.fields.parse(json)) }
}
