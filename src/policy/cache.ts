import type { ModelConfig } from '../model/config.js'
import { compile } from '../tensor/compile.js'
import type { NoInputs } from '../tensor/compile.js'
import { tf } from '../tensor/runtime.js'
import { attribute, op } from '../tensor/trace.js'
import { Variable } from '../tensor/variable.js'
import type { Cache } from './decoder.js'

const fill = compile('empty cache', (_: NoInputs, variable: Variable) => {
  // Memory of its own for each variable: zeros that are a constant of the graph would be shared by all.
  const shape = tf.tensor1d([...variable.shape], 'int32')
  const [zeros] = op('Empty', [attribute.type('dtype', 'float32'), attribute.bool('init', true)], [shape])
  variable.assign(zeros!)
  return {}
})

const widen = compile('widen cache', (_: NoInputs, state: { from: Variable; to: Variable }) => {
  const extra = state.to.shape[2]! - state.from.shape[2]!
  state.to.assign(
    tf.pad(state.from.read(), [
      [0, 0],
      [0, 0],
      [0, extra],
      [0, 0],
    ]),
  )
  return {}
})

/** An empty cache. */
export function createCache(config: ModelConfig, slots: number, width: number): Promise<Cache> {
  return filled(allocate(config, slots, width), async (cache) => {
    for (const variable of [...cache.keys, ...cache.values]) await fill({}, variable)
  })
}

/** The same cache with more room; the old one is gone, but where there is no memory for the new one. */
export async function widenCache(config: ModelConfig, cache: Cache, width: number): Promise<Cache> {
  const wider = await filled(allocate(config, cache.slots, width), async (to) => {
    for (const part of ['keys', 'values'] as const) {
      for (let i = 0; i < config.layers; i++) await widen({}, { from: cache[part][i]!, to: to[part][i]! })
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

function allocate(config: ModelConfig, slots: number, width: number): Cache {
  const shape = [slots, config.kvHeads, width, config.headDim]
  const make = (part: string): Variable[] =>
    Array.from({ length: config.layers }, (_, i) => new Variable(shape, 'float32', `${part} of layer ${i}`))
  return { slots, width, keys: make('keys'), values: make('values') }
}
