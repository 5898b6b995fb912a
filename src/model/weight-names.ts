import type { ModelConfig } from './config.js'
import { families } from './family/families.js'
import type { ModelFamily } from './family/families.js'
import type { WeightNames } from './family/family.js'

/** The name in checkpoints of a weight that we call `key`. */
export function checkpointName(family: ModelFamily, key: string): string {
  const layer = /^layers\.(\d+)\./.exec(key)?.[1]
  const pattern = layer === undefined ? key : key.replace(`layers.${layer}.`, 'layers.{i}.')
  const names: WeightNames = families[family].weightNames
  const name = names[pattern]
  if (name === undefined) throw new Error(`weight names: family ${family} has no weight '${key}'`)
  return layer === undefined ? name : name.replace('{i}', layer)
}

/** Every weight of a model by key, with its shape; linear weights are [out, in]. Order: first layer to last. */
export function expectedShapes(config: ModelConfig): Record<string, number[]> {
  const { hiddenSize, intermediateSize, headDim, vocabSize, attentionBias } = config
  const queries = config.heads * headDim
  const keys = config.kvHeads * headDim
  const shapes: Record<string, number[]> = { embed: [vocabSize, hiddenSize] }
  for (let i = 0; i < config.layers; i++) {
    const add = (part: string, shape: number[]): void => {
      shapes[`layers.${i}.${part}`] = shape
    }
    add('inputNorm', [hiddenSize])
    for (const [part, rows] of [['q', queries] as const, ['k', keys] as const, ['v', keys] as const]) {
      add(`${part}.weight`, [rows, hiddenSize])
      if (attentionBias.qkv) add(`${part}.bias`, [rows])
    }
    add('o.weight', [hiddenSize, queries])
    if (attentionBias.o) add('o.bias', [hiddenSize])
    if (config.qkNorm) {
      add('qNorm', [headDim])
      add('kNorm', [headDim])
    }
    if (config.outputNorms) add('attentionNorm', [hiddenSize])
    add('postNorm', [hiddenSize])
    add('gate.weight', [intermediateSize, hiddenSize])
    add('up.weight', [intermediateSize, hiddenSize])
    add('down.weight', [hiddenSize, intermediateSize])
    if (config.outputNorms) add('feedForwardNorm', [hiddenSize])
  }
  shapes['finalNorm'] = [hiddenSize]
  if (!config.tieWordEmbeddings) shapes['lmHead'] = [vocabSize, hiddenSize]
  return shapes
}

/** Number of values of tensors of these shapes. */
export const valueCount = (shapes: Readonly<Record<string, readonly number[]>>): number =>
  Object.values(shapes).reduce((sum, shape) => sum + shape.reduce((a, b) => a * b, 1), 0)

/** Number of values of all of a model's weights. */
export const parameterCount = (config: ModelConfig): number => valueCount(expectedShapes(config))
