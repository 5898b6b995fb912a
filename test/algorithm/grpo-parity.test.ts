import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { groupAdvantages } from '../../src/algorithm/advantage.js'
import { clippedPolicyLoss } from '../../src/algorithm/policy-loss.js'
import type { PolicyLossInputs } from '../../src/algorithm/policy-loss.js'
import { compile } from '../../src/tensor/compile.js'
import { float32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { tf } from '../../src/tensor/runtime.js'

interface Golden {
  logprobs: number[][]
  oldLogprobs: number[][]
  refLogprobs: number[][]
  mask: number[][]
  advantages: number[]
  losses: {
    mean: 'token' | 'sequence'
    clip: number
    klCoef: number
    loss: number
    gradient: number[][]
    kl: number
    clipFraction: number
  }[]
  groupAdvantages: { rewards: number[]; groups: string[]; scaled: number[]; centred: number[] }
}

const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/grpo.json'), 'utf8')) as Golden

describe('GRPO against TRL', () => {
  it.each(golden.losses)('loss and gradient, mean over $mean, clip $clip, klCoef $klCoef', async (expected) => {
    const { clip, klCoef } = expected
    type Inputs = Record<keyof PolicyLossInputs, HostTensor>
    const step = compile<
      Inputs,
      null,
      Record<'loss' | 'gradient' | 'kl' | 'clipFraction', ReturnType<typeof tf.scalar>>
    >('policy loss', (inputs) => {
      const lossOf = (logprobs: typeof inputs.logprobs): ReturnType<typeof clippedPolicyLoss> =>
        clippedPolicyLoss({ ...inputs, logprobs }, { clip, klCoef })
      const gradient = tf.grad((logprobs) => lossOf(logprobs).loss)(inputs.logprobs)
      const { loss, metrics } = lossOf(inputs.logprobs)
      return { loss, gradient, ...metrics } as never
    })
    const result = await step(
      {
        logprobs: float32(golden.logprobs.flat()),
        oldLogprobs: float32(golden.oldLogprobs.flat()),
        refLogprobs: float32(golden.refLogprobs.flat()),
        advantages: float32(golden.mask.flatMap((row, i) => row.map(() => golden.advantages[i]!))),
        share: float32(shares(golden.mask, expected.mean)),
      },
      null,
    )
    step.dispose()
    expect(result.loss.data[0]).toBeCloseTo(expected.loss, 5)
    const gradient = expected.gradient.flat()
    expect(gradient.filter((g) => g !== 0).length).toBeGreaterThan(10)
    gradient.forEach((g, i) => expect(result.gradient.data[i]).toBeCloseTo(g, 5))
    if (expected.mean === 'token' && klCoef > 0) expect(result.kl.data[0]).toBeCloseTo(expected.kl, 5)
    if (expected.mean === 'token') expect(result.clipFraction.data[0]).toBeCloseTo(expected.clipFraction, 5)
  })

  it('group-normalised advantages', () => {
    const { rewards, groups, scaled, centred } = golden.groupAdvantages
    for (const group of new Set(groups)) {
      const of = (values: number[]): number[] => values.filter((_, i) => groups[i] === group)
      groupAdvantages(of(rewards)).forEach((a, i) => expect(a).toBeCloseTo(of(scaled)[i]!, 10))
      groupAdvantages(of(rewards), { scale: false }).forEach((a, i) => expect(a).toBeCloseTo(of(centred)[i]!, 10))
    }
  })
})

/** Share of each token in the loss. */
function shares(mask: number[][], mean: 'token' | 'sequence'): number[] {
  const sum = (row: number[]): number => row.reduce((a, b) => a + b, 0)
  const all = sum(mask.flat())
  return mask.flatMap((row) => row.map((m) => m / (mean === 'token' ? all : sum(row) * mask.length)))
}
