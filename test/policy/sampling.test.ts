import { describe, expect, it } from 'vitest'
import { draw } from '../../src/policy/sampling.js'
import type { DrawInputs, Truncation } from '../../src/policy/sampling.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32, int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'

type Inputs = Record<'logits' | 'uniform' | 'temperature' | 'topP' | 'topK', HostTensor>
const compiled = (truncation: Truncation) =>
  compile('draw', (inputs: Traced<Inputs>) => draw(inputs.logits, inputs as unknown as DrawInputs, truncation))
const plain = compiled({ topP: false, topK: false })
const byMass = compiled({ topP: true, topK: false })
const byCount = compiled({ topP: false, topK: true })
const truncated = compiled({ topP: true, topK: true })

const VOCABULARY = 200
const logits = Array.from({ length: VOCABULARY }, (_, i) => 3 * Math.sin(i * 1.7) + (i === 150 ? 2 : 0))

async function drawMany(uniforms: number[], options: { temperature?: number; topP?: number; topK?: number }) {
  const { temperature = 1, topP = 1, topK = 0 } = options
  const rows = uniforms.length
  const same = (value: number): number[] => uniforms.map(() => value)
  const run = topP < 1 || topK > 0 ? truncated : plain
  const result = await run(
    {
      logits: float32(
        uniforms.flatMap(() => logits),
        [rows, VOCABULARY],
      ),
      uniform: float32(uniforms),
      temperature: float32(same(temperature)),
      topP: float32(same(topP)),
      topK: int32(same(topK)),
    },
    undefined,
  )
  return { tokens: [...result.token.data], logprobs: [...result.logprob.data] }
}

const grid = Array.from({ length: 500 }, (_, i) => (i + 0.5) / 500)

/** Probabilities by definition, in float64. */
function reference({
  temperature = 1,
  topP = 1,
  topK = 0,
}: {
  temperature?: number
  topP?: number
  topK?: number
}): number[] {
  const mass = logits.map((logit) => Math.exp(logit / temperature))
  const order = mass.map((_, i) => i).sort((a, b) => mass[b]! - mass[a]!)
  const first = new Set(topK > 0 ? order.slice(0, topK) : order)
  const total = [...first].reduce((sum, i) => sum + mass[i]!, 0)
  let sum = 0
  const kept = new Set<number>()
  for (const i of order.filter((index) => first.has(index))) {
    if (sum >= topP * total) break
    kept.add(i)
    sum += mass[i]!
  }
  return mass.map((m, i) => (kept.has(i) ? m / sum : 0))
}

describe('draw', () => {
  it.each([{}, { temperature: 0.7 }, { topK: 5 }, { topP: 0.6 }, { topK: 20, topP: 0.8, temperature: 1.3 }])(
    'inverts the cumulative distribution and gives its log-probabilities: %o',
    async (options) => {
      const probabilities = reference(options)
      const { tokens, logprobs } = await drawMany(grid, options)
      const cumulative = probabilities.map(
        (
          (sum) => (p: number) =>
            (sum += p)
        )(0),
      )
      grid.forEach((uniform, i) => {
        const token = tokens[i]!
        expect(probabilities[token]).toBeGreaterThan(0)
        expect(Math.exp(logprobs[i]!)).toBeCloseTo(probabilities[token]!, 4)
        // The interval of the token holds the number, but for rounding at its ends.
        expect(uniform).toBeLessThanOrEqual(cumulative[token]! + 1e-4)
        expect(uniform).toBeGreaterThanOrEqual(cumulative[token]! - probabilities[token]! - 1e-4)
      })
    },
  )

  it('is greedy at temperature 0, with the log-probability of temperature 1', async () => {
    const { tokens, logprobs } = await drawMany([0, 0.5, 0.999], { temperature: 0 })
    const best = logits.indexOf(Math.max(...logits))
    expect(tokens).toEqual([best, best, best])
    expect(Math.exp(logprobs[0]!)).toBeCloseTo(reference({})[best]!, 5)
  })

  it('gives a row the same bits alone and in company, whatever the others ask for', async () => {
    const vocabulary = 49_152
    const random = createRandom(9)
    const ways = [
      { topP: 1, topK: 0, run: plain },
      { topP: 0.9, topK: 0, run: byMass },
      { topP: 1, topK: 40, run: byCount },
      { topP: 0.95, topK: 300, run: truncated },
    ]
    const rows = Array.from({ length: 16 }, (_, i) => ({
      ...ways[i % 4]!,
      logits: Float32Array.from(
        { length: vocabulary },
        () => 8 * Math.sqrt(-2 * Math.log(1 - random())) * Math.sin(7 * random()),
      ),
      uniform: random(),
      temperature: 0.5 + random(),
    }))
    const drawRows = async (some: typeof rows, run: typeof plain): Promise<[number, number][]> => {
      const logits = new Float32Array(some.length * vocabulary)
      some.forEach((row, i) => logits.set(row.logits, i * vocabulary))
      const values = (of: (row: (typeof rows)[0]) => number): HostTensor => float32(some.map(of))
      const { token, logprob } = await run(
        {
          logits: float32(logits, [some.length, vocabulary]),
          uniform: values((row) => row.uniform),
          temperature: values((row) => row.temperature),
          topP: values((row) => row.topP),
          topK: int32(some.map(({ topK }) => topK)),
        },
        undefined,
      )
      return some.map((_, i) => [token.data[i]!, logprob.data[i]!])
    }
    const together = await drawRows(rows, truncated)
    for (const [i, row] of rows.entries())
      expect(await drawRows([row, row], row.run)).toEqual([together[i], together[i]])
  })

  it('keeps the border exactly, where values are neighbours', async () => {
    const next = (value: number): number => {
      const bits = new Int32Array(Float32Array.of(value).buffer)
      return new Float32Array(Int32Array.of(bits[0]! - 1).buffer)[0]!
    }
    // 4 and the next smaller float32, again and again.
    const values = [4]
    for (let i = 1; i < 64; i++) values.push(next(values.at(-1)!))
    const row = float32([...values, ...values.map(() => -3)], [1, 128])
    for (const k of [1, 2, 17, 63]) {
      const inputs = { uniform: float32([0.5]), temperature: float32([1]), topP: float32([1]), topK: int32([k]) }
      const { logprob } = await byCount({ logits: row, ...inputs }, undefined)
      expect(Math.exp(-logprob.data[0]!)).toBeCloseTo(k, 3)
    }
  })
})
