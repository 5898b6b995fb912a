import { expect, it } from 'vitest'
import { memorySetup } from '../../src/train/memory-setup.js'
import type { CheckedOptions } from '../../src/train/train-options.js'
import { tinyConfig } from '../tiny-model.js'

const options = (policy: object): CheckedOptions =>
  ({
    policy: { config: tinyConfig, weights: { embed: { size: 1000 } }, ...policy },
    ...{ bfloat16: true, optimizerStates: '8-bit', reference: 'bfloat16' },
  }) as unknown as CheckedOptions

it('all weights are trained, and a copy is the reference', () => {
  const { trained, reference, bfloat16, optimizerStates } = memorySetup(options({}))
  expect({ trained, reference, bfloat16, optimizerStates }).toEqual({
    ...{ trained: undefined, reference: 'bfloat16', bfloat16: true, optimizerStates: '8-bit' },
  })
})

it('of an adapter, its values alone are trained, and the model below it is the reference', () => {
  const adapter = { weights: { 'layers.0.q.loraA': { size: 32 }, 'layers.0.q.loraB': { size: 64 } } }
  expect(memorySetup(options({ adapter }))).toMatchObject({ trained: 96, reference: 'none' })
})

it("PPO's critic is a second copy, unless it is the policy itself", () => {
  const critic = (more: object): boolean | undefined => memorySetup({ ...options({}), ...more }).critic
  expect(critic({ algorithm: 'grpo' })).toBe(false)
  expect(critic({ algorithm: 'ppo', critic: { shared: false } })).toBe(true)
  expect(critic({ algorithm: 'ppo', critic: { shared: true } })).toBe(false)
})

it('supervised steps have no copy of the weights, and of an adapter train its values alone too', () => {
  const adapter = { weights: { 'layers.0.q.loraA': { size: 32 } } }
  const { policy } = options({ adapter })
  const setup = memorySetup({ policy, bfloat16: false, optimizerStates: 'float32', reference: 'none' })
  expect(setup).toMatchObject({ trained: 32, reference: 'none', critic: false })
})
