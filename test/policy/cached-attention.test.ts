import { describe, expect, it } from 'vitest'
import { cachedAttention, CACHE_BLOCK } from '../../src/policy/cached-attention.js'
import { createCache } from '../../src/policy/cache.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32, int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import type { Variable } from '../../src/tensor/variable.js'
import { tinyConfig } from '../tiny-model.js'

interface Shape {
  heads: number
  kvHeads: number
  headDim: number
  cap?: number
  window?: number
}
type Inputs = Record<'q' | 'k' | 'v' | 'cos' | 'sin' | 'slot' | 'position' | 'start' | 'count', HostTensor>
interface Cache {
  keys: Variable
  values: Variable
}

const SCALE = 0.3
async function makeCache({ kvHeads, headDim }: Shape, slots: number, width: number): Promise<Cache> {
  const { keys, values } = await createCache(
    { ...tinyConfig, layers: 1, kvHeads, headDim },
    { slots, width, anyWidth: true },
  )
  return { keys: keys[0]!, values: values[0]! }
}

const attention = ({ cap = 0, window = 0 }: Shape) =>
  compile('attention', ({ q, k, v, cos, sin, ...segments }: Traced<Inputs>, cache: Cache) => ({
    mixed: cachedAttention({ q, k, v }, { cos, sin }, cache, segments, { scale: SCALE, cap, window }),
  }))

/** What a conversation says: its queries, keys and values, each [token, head, headDim]. */
function conversation({ heads, kvHeads, headDim }: Shape, length: number, seed: number) {
  const random = createRandom(seed)
  const make = (count: number): number[][][] =>
    Array.from({ length }, () =>
      Array.from({ length: count }, () => Array.from({ length: headDim }, () => 4 * random() - 2)),
    )
  return { q: make(heads), k: make(kvHeads), v: make(kvHeads) }
}
type Conversation = ReturnType<typeof conversation>

/** Angles of a token's position, halves apart. */
const angle = (position: number, d: number, headDim: number): number => position * 0.3 ** (d % (headDim / 2))

/** A vector turned by its position. */
const turned = (x: number[], position: number): number[] =>
  x.map((value, d) => {
    const half = x.length / 2
    const [c, s] = [Math.cos(angle(position, d, x.length)), Math.sin(angle(position, d, x.length))]
    return d < half ? value * c - x[d + half]! * s : value * c + x[d - half]! * s
  })

/** Attention of one token by definition, in float64. */
function byDefinition(
  { heads, kvHeads, headDim, cap, window }: Shape,
  { q, k, v }: Conversation,
  token: number,
): number[] {
  return Array.from({ length: heads }, (_, head) => {
    const kv = Math.floor(head / (heads / kvHeads))
    const first = window ? Math.max(0, token + 1 - window) : 0
    const scores = Array.from({ length: token + 1 - first }, (__, i) => {
      const key = turned(k[first + i]![kv]!, first + i)
      const product = SCALE * turned(q[token]![head]!, token).reduce((sum, x, d) => sum + x * key[d]!, 0)
      return cap ? cap * Math.tanh(product / cap) : product
    })
    const highest = Math.max(...scores)
    const mass = scores.map((score) => Math.exp(score - highest))
    const total = mass.reduce((a, b) => a + b)
    return Array.from(
      { length: headDim },
      (__, d) => mass.reduce((sum, m, i) => sum + m * v[first + i]![kv]![d]!, 0) / total,
    )
  }).flat()
}

interface Segment {
  of: Conversation
  slot: number
  position: number
  count: number
}

/** @returns what each segment's tokens get. There are `tokens` of them in all, the rest is padding. */
async function attend(
  run: ReturnType<typeof attention>,
  shape: Shape,
  cache: Cache,
  segments: Segment[],
  tokens: number,
): Promise<number[][][]> {
  const starts = segments.map((_, i) => segments.slice(0, i).reduce((sum, { count }) => sum + count, 0))
  const spread = (part: 'q' | 'k' | 'v', heads: number): HostTensor => {
    const values = new Float32Array(heads * tokens * shape.headDim).fill(NaN)
    segments.forEach(({ of, position, count }, i) => {
      for (let head = 0; head < heads; head++) {
        for (let t = 0; t < count; t++) {
          values.set(of[part][position + t]![head]!, ((starts[i]! + t) * heads + head) * shape.headDim)
        }
      }
    })
    return float32(values, [1, tokens, heads * shape.headDim])
  }
  const table = (of: (x: number) => number): HostTensor => {
    const values = new Float32Array(tokens * shape.headDim).fill(NaN)
    segments.forEach(({ position, count }, i) => {
      for (let t = 0; t < count; t++)
        for (let d = 0; d < shape.headDim; d++)
          values[(starts[i]! + t) * shape.headDim + d] = of(angle(position + t, d, shape.headDim))
    })
    return float32(values, [tokens, shape.headDim])
  }
  const { mixed } = await run(
    {
      q: spread('q', shape.heads),
      k: spread('k', shape.kvHeads),
      v: spread('v', shape.kvHeads),
      cos: table(Math.cos),
      sin: table(Math.sin),
      slot: int32(segments.map(({ slot }) => slot)),
      position: int32(segments.map(({ position }) => position)),
      start: int32(starts),
      count: int32(segments.map(({ count }) => count)),
    },
    cache,
  )
  const size = shape.heads * shape.headDim
  const token = (at: number): number[] => [...mixed.data.subarray(at * size, (at + 1) * size)]
  return segments.map(({ count }, i) => Array.from({ length: count }, (_, t) => token(starts[i]! + t)))
}

/** How many values differ: of so many, a matcher would take minutes to show them. */
const differences = (a: number[][], b: number[][]): number =>
  a.flatMap((row, i) => row.filter((value, j) => value !== b[i]?.[j])).length + Math.abs(a.length - b.length)

describe.each<Shape>([
  { heads: 9, kvHeads: 3, headDim: 64 },
  { heads: 4, kvHeads: 2, headDim: 8 },
  { heads: 8, kvHeads: 1, headDim: 80 },
  { heads: 6, kvHeads: 2, headDim: 20, window: 33 },
  { heads: 4, kvHeads: 4, headDim: 128, cap: 3 },
  { heads: 4, kvHeads: 2, headDim: 256, cap: 2, window: 70 },
])('attention over a cache, $heads heads over $kvHeads of $headDim, cap $cap, window $window', (shape) => {
  const run = attention(shape)
  const LENGTH = 150
  const talks = [1, 2, 3].map((seed) => conversation(shape, LENGTH, seed))

  it('is what the definition says, in chunks and token by token', async () => {
    const cache = await makeCache(shape, 4, 3 * CACHE_BLOCK)
    const got: number[][] = []
    const of = talks[0]!
    for (const count of [32, 32, 7, 1, 1, 32, 32]) {
      const [rows] = await attend(run, shape, cache, [{ of, slot: 2, position: got.length, count }], count + 3)
      got.push(...rows!)
    }
    for (const token of [0, 1, 31, 32, 63, 64, 70, 71, 72, 73, 104, 136]) {
      const worst = Math.max(...byDefinition(shape, of, token).map((value, i) => Math.abs(value - got[token]![i]!)))
      expect(worst, `token ${token}`).toBeLessThan(1e-5)
    }
  })

  it('gives the same bits whatever runs beside it, however wide the cache is, and however it was cut', async () => {
    const alone = await makeCache(shape, 1, 3 * CACHE_BLOCK)
    const [expected] = await attend(run, shape, alone, [{ of: talks[1]!, slot: 0, position: 0, count: LENGTH }], LENGTH)
    const wide = await makeCache(shape, 5, 9 * CACHE_BLOCK)
    const got: number[][] = []
    for (const count of [50, 1, 1, 37, 1, 50, 10]) {
      const position = got.length
      const segment = { of: talks[1]!, slot: 1, position, count }
      const others = [
        { of: talks[0]!, slot: 4, position: Math.max(0, position - 5), count: Math.min(count, 9) },
        { of: talks[2]!, slot: 3, position: 0, count: 0 },
        { of: talks[2]!, slot: 0, position: Math.floor(position / 2), count },
      ]
      const first = position % 2
      const segments = first ? [...others.slice(0, 2), segment, others[2]!] : [segment, ...others]
      got.push(...(await attend(run, shape, wide, segments, 150))[first ? 2 : 0]!)
    }
    expect(differences(got, expected!)).toBe(0)
  })
})

it('refuses a place outside of the cache, and leaves the cache as it was', async () => {
  const shape = { heads: 2, kvHeads: 1, headDim: 16 }
  const run = attention(shape)
  const of = conversation(shape, 80, 1)
  const cache = await makeCache(shape, 2, CACHE_BLOCK)
  const good = { of, slot: 1, position: 0, count: 40 }
  const [before] = await attend(run, shape, cache, [good], 40)
  for (const [slot, position] of [
    [2, 0],
    [-1, 0],
    [0, 30],
    [0, -1],
  ] as const) {
    const bad = { of: conversation(shape, 200, 2), slot, position: Math.max(position, 0), count: 40 }
    const calls = attend(run, shape, cache, [good, position < 0 ? { ...bad, count: -1 } : bad], 100)
    await expect(calls).rejects.toThrow('segment 1 lies outside of the cache')
  }
  const [after] = await attend(run, shape, cache, [good], 40)
  expect(differences(after!, before!)).toBe(0)
})
