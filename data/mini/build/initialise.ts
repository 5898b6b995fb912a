// First weights of a small reader. Its first two layers are set so that induction works from the start: without it, a
// model of this size needs far more text before it begins to copy from documents.
import type { ModelConfig } from '../../../src/model/config.js'
import { inverseFrequencies } from '../../../src/model/rope.js'
import { createRandom, shuffle } from '../../../src/random/seeded-random.js'
import type { Random } from '../../../src/random/seeded-random.js'

type Matrix = number[][]

export interface Tensor {
  shape: number[]
  data: Float32Array
}

/** Strength of the positional match of the look-back heads. */
const LOOK_BACK = 60
/** Rotary pairs that carry it: the fastest ones. */
const LOOK_BACK_PAIRS = 4
/** Rotary pairs slower than this do not feel positions within a text; content is matched on them. */
const SLOW = 0.006
const MATCH = 2.5
const WRITE = 0.06
const COPY = 0.3

export function initialWeights(config: ModelConfig, seed: number): Record<string, Tensor> {
  const random = createRandom(seed)
  const { hiddenSize: d, headDim, heads, intermediateSize: f, layers } = config
  const weights: Record<string, Tensor> = {}
  const normal = (key: string, shape: number[], deviation: number): void => {
    const size = shape.reduce((a, b) => a * b, 1)
    weights[key] = { shape, data: Float32Array.from({ length: size }, () => gaussian(random) * deviation) }
  }
  const constant = (key: string, size: number, value: number): void => {
    weights[key] = { shape: [size], data: new Float32Array(size).fill(value) }
  }
  const small = 0.04
  const residual = small / Math.sqrt(2 * layers)
  normal('embed', [config.vocabSize, d], small)
  constant('finalNorm', d, 1)
  for (let i = 0; i < layers; i++) {
    const layer = `layers.${i}`
    constant(`${layer}.inputNorm`, d, 1)
    constant(`${layer}.postNorm`, d, 1)
    for (const part of ['q', 'k', 'v']) {
      normal(`${layer}.${part}.weight`, [heads * headDim, d], small)
      constant(`${layer}.${part}.bias`, heads * headDim, 0)
    }
    normal(`${layer}.o.weight`, [d, heads * headDim], residual)
    normal(`${layer}.gate.weight`, [f, d], small)
    normal(`${layer}.up.weight`, [f, d], small)
    normal(`${layer}.down.weight`, [d, f], residual)
  }
  setInduction(config, weights, random)
  return weights
}

/**
 * Layer 0: heads that look back 1 to 4 tokens (query and key biases turned by the rotary embedding) and write a sketch
 * of the token they see into subspaces of their own. Layer 1: heads that look for the place whose sketches match those
 * of the current token, and copy what stands there.
 */
function setInduction(config: ModelConfig, weights: Record<string, Tensor>, random: Random): void {
  const { hiddenSize: d, headDim } = config
  const half = headDim / 2
  const frequencies = inverseFrequencies(config.rope, headDim)
  const sketch = orthonormal(random, d, headDim)
  const directions = orthonormal(random, d, d)
  const subspace = (shift: number): Matrix =>
    directions.slice(((shift - 1) * headDim) % d, (((shift - 1) * headDim) % d) + headDim)
  const row = (key: string, index: number, values: readonly number[]): void => {
    const { data } = weights[key]!
    data.set(values, index * values.length)
  }
  const column = (key: string, index: number, values: readonly number[]): void => {
    const { data, shape } = weights[key]!
    values.forEach((value, i) => (data[i * shape[1]! + index] = value))
  }
  const zero = new Array<number>(d).fill(0)

  for (let head = 0; head < 4; head++) {
    const shift = head + 1
    for (let dim = 0; dim < headDim; dim++) {
      const at = head * headDim + dim
      const pair = dim % half
      const strength = pair < LOOK_BACK_PAIRS ? Math.sqrt(LOOK_BACK) : 0
      const angle = frequencies[pair]! * shift
      weights['layers.0.q.bias']!.data[at] = dim < half ? strength : 0
      weights['layers.0.k.bias']!.data[at] = strength * (dim < half ? Math.cos(angle) : Math.sin(angle))
      row('layers.0.q.weight', at, zero)
      row('layers.0.k.weight', at, zero)
      row('layers.0.v.weight', at, sketch[dim]!)
      column('layers.0.o.weight', at, scale(subspace(shift)[dim]!, WRITE))
    }
  }

  const slow = Array.from({ length: half }, (_, pair) => pair).filter((pair) => frequencies[pair]! < SLOW)
  const dims = [...slow, ...slow.map((pair) => pair + half)]
  const copies = orthonormal(random, d, d)
  for (let head = 0; head < 4; head++) {
    const rows = shuffle(random, [...Array(headDim).keys()]).slice(0, dims.length)
    const order = shuffle(random, dims)
    const query: Matrix = Array.from({ length: headDim }, () => zero)
    const key: Matrix = Array.from({ length: headDim }, () => zero)
    order.forEach((dim, i) => {
      const r = rows[i]!
      // Two heads match relation and entity of "entity's relation is value" (1 and 3 back against 2 and 4 back), two
      // match the current token and the one before it against those 1 and 2 back of the place to copy.
      const [q, k] =
        head < 2
          ? i < dims.length / 2
            ? [subspace(1)[r]!, subspace(2)[r]!]
            : [subspace(3)[r]!, subspace(4)[r]!]
          : i < dims.length * 0.6
            ? [sketch[r]!, subspace(1)[r]!]
            : [subspace(1)[r]!, subspace(2)[r]!]
      query[dim] = scale(q, MATCH)
      key[dim] = scale(k, MATCH)
    })
    for (let dim = 0; dim < headDim; dim++) {
      const at = head * headDim + dim
      const direction = copies[(head * headDim + dim) % d]!
      row('layers.1.q.weight', at, query[dim]!)
      row('layers.1.k.weight', at, key[dim]!)
      row('layers.1.v.weight', at, direction)
      column('layers.1.o.weight', at, scale(direction, COPY))
    }
  }
}

const scale = (vector: readonly number[], factor: number): number[] => vector.map((value) => value * factor)

/** `count` random orthonormal vectors of a dimension (Gram-Schmidt, twice for accuracy). */
function orthonormal(random: Random, dimension: number, count: number): Matrix {
  const vectors: Matrix = []
  while (vectors.length < count) {
    let vector = Array.from({ length: dimension }, () => gaussian(random))
    for (const other of [...vectors, ...vectors]) {
      const overlap = other.reduce((sum, value, i) => sum + value * vector[i]!, 0)
      vector = vector.map((value, i) => value - overlap * other[i]!)
    }
    const length = Math.hypot(...vector)
    vectors.push(scale(vector, 1 / length))
  }
  return vectors
}

/** A standard normal number (Box-Muller). */
function gaussian(random: Random): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random())
}
