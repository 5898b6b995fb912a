import type { z } from 'zod'

/** How positions turn queries and keys. */
export interface Rope {
  /** Base of the wavelengths. */
  theta: number
  /** Stretching of the wavelengths, for contexts longer than the model was first trained on. */
  scaling?: LinearScaling | Llama3Scaling
}

/** Every wavelength is longer by `factor`. */
export interface LinearScaling {
  /** Tells it from Llama 3's. */
  type: 'linear'
  /** How many times as long. */
  factor: number
}

/** Llama 3's: long wavelengths are stretched, short ones are not. */
export interface Llama3Scaling {
  /** Tells it from the linear one. */
  type: 'llama3'
  /** How many times as long the long wavelengths become. */
  factor: number
  /** Wavelengths above `originalMaxPositions` divided by this are stretched in full. */
  lowFreqFactor: number
  /** Wavelengths below `originalMaxPositions` divided by this stay; between the two bounds the stretching grows. */
  highFreqFactor: number
  /** Longest sequence of the first training, in tokens. */
  originalMaxPositions: number
}

/** What the loop over layers (forward.ts) needs to know of a model: sizes, and what one family does unlike another. */
export interface Architecture {
  /** Rows of the embedding; a tokenizer may use fewer. */
  vocabSize: number
  /** Width of the hidden states. */
  hiddenSize: number
  /** Number of layers. */
  layers: number
  /** Heads of queries. */
  heads: number
  /** Heads of keys and values, each shared by `heads / kvHeads` query heads. */
  kvHeads: number
  /** Width of a head. */
  headDim: number
  /** Width of the feed-forward's inner part. */
  intermediateSize: number
  /** Longest sequence the model was made for, in tokens. */
  maxPositions: number
  /** The output projection is the embedding. */
  tieWordEmbeddings: boolean
  /** Embeddings are multiplied by this; 1 in most families. */
  embeddingScale: number
  /** Added to the mean square under the root of a norm. */
  rmsNormEps: number
  /** A norm multiplies by its weight plus this. */
  normOffset: 0 | 1
  /** What attention and feed-forward give is normalised before it is added to the residual. */
  outputNorms: boolean
  /** Which projections of attention have a bias. */
  attentionBias: {
    /** Those of queries, keys and values. */
    qkv: boolean
    /** That of the output. */
    o: boolean
  }
  /** Queries and keys are normalised per head. */
  qkNorm: boolean
  /** Attention scores are products of queries and keys times this; 1 / √headDim in most families. */
  attentionScale: number
  /** Attention scores stay between ± this: s → cap · tanh(s / cap). Default: no bound. */
  attentionSoftCap?: number
  /** How positions turn queries and keys; in sliding layers `sliding.rope` does. */
  rope: Rope
  /** The layers in which a token sees only the last `window` tokens, itself among them. Default: none. */
  sliding?: {
    /** True for the layers that are so, one for each. */
    layers: readonly boolean[]
    /** In tokens. */
    window: number
    /** How positions turn queries and keys there. */
    rope: Rope
  }
  /** The function of the gated feed-forward. */
  activation: Activation
  /** Logits stay between ± this. Default: no bound. */
  logitSoftCap?: number
  /** How low-rank updates beside linear weights (see adapter.ts) count. Default: the model has none. */
  lora?: LoraNumbers
}

/** Numbers of an adapter that the forward pass needs. */
export interface LoraNumbers {
  /** Times the product of the two low-rank matrices. */
  scale: number
  /** Share of the inputs of the low-rank matrices that are zero in supervised training. */
  dropout: number
}

/** Functions that a feed-forward may have. */
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
