import { z } from 'zod'
import type { Rope } from './family.js'

export type LayerType = 'full_attention' | 'sliding_attention'

const LAYER_TYPES: readonly string[] = ['full_attention', 'sliding_attention'] satisfies LayerType[]

const parameters = z.looseObject({
  rope_type: z.string().nullish(),
  type: z.string().nullish(),
  rope_theta: z.number().positive().nullish(),
  factor: z.number().positive().nullish(),
  low_freq_factor: z.number().nullish(),
  high_freq_factor: z.number().nullish(),
  original_max_position_embeddings: z.number().nullish(),
  partial_rotary_factor: z.number().nullish(),
})

type Parameters = z.infer<typeof parameters>

/** The rotary embedding in config.json: transformers 4 (`rope_theta`, `rope_scaling`) or 5 (`rope_parameters`). */
export const ropeFields = z.looseObject({
  rope_theta: z.number().positive().nullish(),
  rope_scaling: parameters.nullish(),
  rope_parameters: parameters.nullish(),
  partial_rotary_factor: z.number().nullish(),
  original_max_position_embeddings: z.number().nullish(),
})

type File = z.infer<typeof ropeFields>

/**
 * The rotary embedding of each type of layer that a model has. Parameters stand in one record for all layers, or nested
 * by type of layer.
 * @param defaults Where no `rope_theta` is named; 10000 else
 */
export function readRope(
  file: File,
  types: readonly LayerType[],
  defaults: Partial<Record<LayerType, number>> = {},
): Partial<Record<LayerType, Rope>> {
  // transformers lets the older field win.
  const source = file.rope_scaling ?? file.rope_parameters ?? {}
  const nested = nestedParameters(source)
  const read = (type: LayerType): Rope => {
    const fields = nested ? nested[type] : source
    if (!fields) throw new Error(`rope_parameters names layer types, but not '${type}', which the model has`)
    const theta = fields.rope_theta ?? file.rope_theta ?? defaults[type] ?? 10_000
    const partial = fields.partial_rotary_factor ?? file.partial_rotary_factor ?? 1
    if (partial !== 1) throw new Error(`partial_rotary_factor ${partial} is not supported; only 1 is`)
    const scaling = readScaling(fields, file)
    return { theta, ...(scaling && { scaling }) }
  }
  return Object.fromEntries(types.map((type) => [type, read(type)]))
}

/** Parameters by type of layer, where they are nested. */
function nestedParameters(source: Parameters): Record<string, Parameters> | undefined {
  const records = Object.entries(source).filter(
    ([, value]) => typeof value === 'object' && value !== null && !Array.isArray(value),
  )
  if (records.length === 0) return undefined
  const unknown = records.find(([type]) => !LAYER_TYPES.includes(type))
  if (unknown) {
    throw new Error(`rope_parameters of '${unknown[0]}' are not supported; supported are ${LAYER_TYPES.join(', ')}`)
  }
  return Object.fromEntries(records.map(([type, value]) => [type, parameters.parse(value)]))
}

function readScaling(source: Parameters, file: File): Rope['scaling'] {
  const type = source.rope_type ?? source.type ?? 'default'
  const number = (
    name: 'factor' | 'low_freq_factor' | 'high_freq_factor' | 'original_max_position_embeddings',
  ): number => {
    const value = source[name]
    if (value == null) throw new Error(`rope type '${type}' needs ${name}`)
    return value
  }
  switch (type) {
    case 'default':
      return undefined
    case 'linear':
      return { type, factor: number('factor') }
    case 'llama3':
      return {
        type,
        factor: number('factor'),
        lowFreqFactor: number('low_freq_factor'),
        highFreqFactor: number('high_freq_factor'),
        originalMaxPositions: file.original_max_position_embeddings ?? number('original_max_position_embeddings'),
      }
    default:
      throw new Error(`rope type '${type}' is not supported; supported are default, linear and llama3`)
  }
}
