import { vi } from 'vitest'
import { native } from '../../src/tensor/runtime.js'

/**
 * From the n-th one on, calls of a compiled function fail after they have done their work. `vi.restoreAllMocks` ends it.
 * @param part Of the function's name, with underscores.
 */
export function failAfter(n: number, part: string): { calls: number } {
  const seen = { calls: 0 }
  const call = native.call.bind(native)
  vi.spyOn(native, 'call').mockImplementation(async (name, ...rest) => {
    const results = await call(name, ...rest)
    if (name.includes(part) && ++seen.calls >= n) throw new Error('RESOURCE_EXHAUSTED: a test')
    return results
  })
  return seen
}
