import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import type { ModelConfig } from '../model/config.js'
import { compile } from '../tensor/compile.js'
import { int32 } from '../tensor/host-tensor.js'
import type { HostTensor } from '../tensor/host-tensor.js'
import { tf } from '../tensor/runtime.js'
import { attribute, currentTrace, runOp } from '../tensor/trace.js'
import { Variable } from '../tensor/variable.js'
import type { Cache } from './decoder.js'

type Tensor = TensorFlow.Tensor

/** How a cache is laid out. */
export interface CacheOptions {
  slots: number
  width: number
  /** Whether functions are compiled for any width, or each for one. */
  anyWidth: boolean
}

// Shapes are inputs of these functions: what a cache may grow to is not known when they are traced.
const float = attribute.type('dtype', 'float32')

const fill = compile(
  'empty cache',
  ({ shape }: { shape: Tensor }, variable: Variable) => {
    // Memory of its own for each variable: zeros that are a constant of the graph would be shared by all.
    const [zeros] = runOp('Empty', [float, attribute.bool('init', true)], [shape], 1)
    variable.replace(zeros!.id)
    return {}
  },
  { beside: true },
)

const widen = compile(
  'widen cache',
  ({ paddings }: { paddings: Tensor }, state: { from: Variable; to: Variable }) => {
    const types = [attribute.type('T', 'float32'), attribute.type('Tpaddings', 'int32')]
    const [wider] = runOp('Pad', types, [state.from.read(), paddings], 1)
    state.to.replace(wider!.id)
    return {}
  },
  { beside: true },
)

const copyRow = compile(
  'copy cache row',
  ({ from, to }: Record<'from' | 'to', Tensor>, { keys, values }: Pick<Cache, 'keys' | 'values'>) => {
    const trace = currentTrace()!
    const gather = [attribute.type('Tparams', 'float32'), attribute.type('Tindices', 'int32')]
    for (const variable of [...keys, ...values]) {
      const all = variable.read()
      const types = [...gather, attribute.type('Taxis', 'int32'), attribute.int('batch_dims', 0)]
      const [row] = runOp('GatherV2', types, [all, from, tf.scalar(0, 'int32')], 1)
      trace.setShape(row!.id, [1, ...variable.shape.slice(1)])
      // In place, as new keys are written: an update of the variable itself would make each later read of it a copy.
      const [updated] = runOp('InplaceUpdate', [attribute.type('T', 'float32')], [all, to, row!.id], 1)
      trace.setShape(updated!.id, [...variable.shape])
      trace.changed(variable, updated!.id)
    }
    return {}
  },
  { beside: true },
)

/** Makes a conversation's row of a cache the same as another's. Only for caches of any width. */
export async function copyCacheRow(cache: Pick<Cache, 'keys' | 'values'>, from: number, to: number): Promise<void> {
  if (from !== to) await copyRow({ from: int32([from]), to: int32([to]) }, { keys: cache.keys, values: cache.values })
}

/** An empty cache. */
export function createCache(config: ModelConfig, options: CacheOptions): Promise<Cache> {
  const shape: HostTensor = int32([options.slots, config.kvHeads, options.width, config.headDim])
  return filled(allocate(config, options), async (cache) => {
    for (const variable of [...cache.keys, ...cache.values]) await fill({ shape }, variable)
  })
}

/** The same cache with more room; the old one is gone, but where there is no memory for the new one. */
export async function widenCache(config: ModelConfig, cache: Cache, options: CacheOptions): Promise<Cache> {
  const paddings: HostTensor = int32([0, 0, 0, 0, 0, options.width - cache.width, 0, 0], [4, 2])
  const wider = await filled(allocate(config, options), async (to) => {
    for (const part of ['keys', 'values'] as const) {
      for (let i = 0; i < config.layers; i++) await widen({ paddings }, { from: cache[part][i]!, to: to[part][i]! })
    }
  })
  disposeCache(cache)
  return wider
}

/** The cache once it is filled; freed where that fails. */
async function filled(cache: Cache, fillIn: (cache: Cache) => Promise<void>): Promise<Cache> {
  try {
    await fillIn(cache)
    return cache
  } catch (error) {
    disposeCache(cache)
    throw error
  }
}

export function disposeCache(cache: Cache): void {
  for (const variable of [...cache.keys, ...cache.values]) variable.dispose()
}

function allocate(config: ModelConfig, { slots, width, anyWidth }: CacheOptions): Cache {
  const shape = [slots, config.kvHeads, anyWidth ? -1 : width, config.headDim]
  const make = (part: string): Variable[] =>
    Array.from({ length: config.layers }, (_, i) => new Variable(shape, 'float32', `${part} of layer ${i}`))
  return { slots, width, keys: make('keys'), values: make('values') }
}
