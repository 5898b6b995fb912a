import { expect, it } from 'vitest'
import { batchShapes, expectedShapes } from '../../src/train/batch-shapes.js'

const sequence = (length: number) => ({ ids: new Array<number>(length).fill(0), trained: [length - 1] })

it('batches of equal sequences have one shape, however many there are', () => {
  const run = { count: 4, updates: 30, microbatchTokens: 4096 }
  expect([...batchShapes([sequence(10), sequence(10)], 4096)]).toEqual(['2,10 2'])
  expect(expectedShapes([sequence(10)], run)).toBe(1)
})

it('the more lengths and updates, the more shapes, but ever fewer new ones', () => {
  const many = Array.from({ length: 200 }, (_, i) => sequence(10 + i))
  const shapes = (updates: number): number => expectedShapes(many, { count: 4, updates, microbatchTokens: 4096 })
  expect(shapes(10)).toBeGreaterThan(shapes(1))
  expect(shapes(40) - shapes(20)).toBeLessThan(shapes(20))
})
