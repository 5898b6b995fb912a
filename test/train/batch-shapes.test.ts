import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src/random/seeded-random.js'
import { batchShapes, expectedShapes } from '../../src/train/batch-shapes.js'
import { toMicrobatches } from '../../src/train/microbatch.js'
import { tinyConfig } from '../tiny-model.js'

const model = { config: tinyConfig, microbatchTokens: 4096 }

let made = 0
/** Each begins otherwise, so that none shares its prompt with another. */
const idsOf = (length: number): number[] => [made++, ...new Array<number>(length - 1).fill(0)]
const sequence = (length: number) => ({ ids: idsOf(length), trained: [length - 1] })

it('batches of equal sequences have one shape, however many there are', () => {
  const run = { count: 4, updates: 30, ...model }
  expect([...batchShapes([sequence(10), sequence(10)], model)]).toHaveLength(1)
  expect(expectedShapes([sequence(10)], run)).toBe(1)
})

it('the more lengths and updates, the more shapes, but ever fewer new ones', () => {
  const many = Array.from({ length: 200 }, (_, i) => sequence(10 + i))
  const shapes = (updates: number): number => expectedShapes(many, { count: 4, updates, ...model })
  expect(shapes(10)).toBeGreaterThan(shapes(1))
  expect(shapes(40) - shapes(20)).toBeLessThan(shapes(20))
})

describe('200 batches of random lengths', () => {
  /** Shapes of all their microbatches, and the share that padding adds to their ids. */
  function traced(count: number, shortest: number, longest: number): { shapes: number; padding: number } {
    const random = createRandom(5)
    const shapes = new Set<string>()
    let [real, all] = [0, 0]
    for (let batch = 0; batch < 200; batch++) {
      const sequences = Array.from({ length: count }, () => {
        const length = shortest + Math.floor(random() * (longest - shortest))
        const trained = Math.ceil(random() * 0.5 * (length - 1))
        return {
          ids: idsOf(length),
          trained: Array.from({ length: trained }, (_, i) => length - trained + i),
        }
      })
      for (const shape of batchShapes(sequences, model)) shapes.add(shape)
      for (const { ids } of toMicrobatches(sequences, 4096)) all += ids.data.length
      real += sequences.reduce((sum, { ids }) => sum + ids.length, 0)
    }
    return { shapes: shapes.size, padding: all / real - 1 }
  }

  it.each([
    { count: 20, shortest: 250, longest: 600, most: 90 },
    { count: 8, shortest: 2, longest: 3000, most: 300 },
    { count: 80, shortest: 100, longest: 1500, most: 300 },
  ])('$count of $shortest to $longest ids: fewer than $most shapes', ({ count, shortest, longest, most }) => {
    const { shapes, padding } = traced(count, shortest, longest)
    expect(shapes).toBeLessThan(most)
    expect(padding).toBeLessThan(0.25)
  })
})
