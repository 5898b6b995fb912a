import { describe, expect, it } from 'vitest'
import { parameterCount } from '../../src/model/weight-names.js'
import { disposeWeights, downloadWeight } from '../../src/model/weights.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import { storedBytes } from '../../src/tensor/variable.js'
import {
  chooseMicrobatchTokens,
  memoryGuard,
  microbatchMemory,
  standingMemory,
  totalBytes,
} from '../../src/train/memory-model.js'
import type { MemorySetup } from '../../src/train/memory-model.js'
import type { Trainable } from '../../src/train/loss-function.js'
import { createOptimizer } from '../../src/train/optimizer.js'
import { createLearner } from '../../src/train/run-config.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { letterTokenizer, tinyConfig, tinyWeights } from '../tiny-model.js'
import { settingsOf } from './settings.js'

/** Qwen2.5-0.5B's shape. */
const half = {
  ...{ ...tinyConfig, vocabSize: 151_936, hiddenSize: 896, layers: 24, heads: 14, kvHeads: 2, headDim: 64 },
  ...{ intermediateSize: 4864, maxPositions: 32_768 },
}
const setup: MemorySetup = { config: half, optimizerStates: 'float32', reference: 'float32', bfloat16: false }
const GB = 1e9

describe('memory of a training', () => {
  it('counts what an optimizer really holds', async () => {
    const config = { ...tinyConfig, hiddenSize: 256, intermediateSize: 512 }
    const weights = await tinyWeights(config, 1)
    for (const optimizerStates of ['float32', '8-bit'] as const) {
      const optimizer = await createOptimizer(weights, { optimizerStates })
      const bytes = Object.values(optimizer.moments).reduce(
        (sum, { dtype, size }) => sum + storedBytes[dtype] * size,
        0,
      )
      const said = standingMemory({ ...setup, config, optimizerStates }).moments
      expect(bytes / said).toBeCloseTo(1, 1)
      optimizer.dispose()
    }
    expect(Object.values(weights).reduce((sum, { size }) => sum + size, 0)).toBe(parameterCount(config))
  })

  it("counts what PPO's critic really holds: of an adapter, what is trained", async () => {
    const weights = await tinyWeights(tinyConfig, 1)
    const policy: Trainable = { config: tinyConfig, weights, tokenizer: letterTokenizer }
    const ppo = await createLearner(policy, settingsOf('ppo'))
    const { critic, criticOptimizer } = ppo.state().weights
    const bytes = [critic!, critic!, criticOptimizer!]
      .flatMap((held) => Object.values(held))
      .reduce((sum, { size }) => sum + 4 * size, 0)
    const head = 4 * 4 * tinyConfig.hiddenSize
    expect(standingMemory({ ...setup, config: tinyConfig, critic: true }).critic).toBe(bytes - head)
    expect(standingMemory({ ...setup, critic: true, trained: 1000 }).critic).toBe(16_000)
    expect(standingMemory(setup).critic).toBe(0)
    ppo.dispose()
    disposeWeights(weights)
  })

  it('grows with rows, length and targets, and no faster than linearly with length beyond 256 tokens', () => {
    const at = (rows: number, time: number, targets: number): number =>
      totalBytes(microbatchMemory(setup, { rows, time, targets }))
    expect(at(2, 512, 100)).toBeGreaterThan(at(1, 512, 100))
    expect(at(1, 1024, 100)).toBeGreaterThan(at(1, 512, 100))
    expect(at(1, 8192, 100)).toBeLessThan(2.1 * at(1, 4096, 100))
  })

  it('chooses fewer ids where less is free, and says what would save memory where none fit', () => {
    const chosen = [100, 14, 12.5, 12.2].map((free) => chooseMicrobatchTokens(setup, free * GB, 1024))
    expect(chosen[0]).toBe(4096)
    expect(chosen).toEqual([...chosen].sort((a, b) => b - a))
    expect(chosen.at(-1)).toBeGreaterThanOrEqual(64)
    expect(() => chooseMicrobatchTokens(setup, 5 * GB, 1024)).toThrow(
      /^train: 7\.9 GB for gradients.* 5\.0 GB are free.*optimizerStates: '8-bit' saves 2\.9 GB; reference: 'bfloat16' saves 0\.99 GB/,
    )
    const small: MemorySetup = { ...setup, optimizerStates: '8-bit', reference: 'bfloat16' }
    expect(chooseMicrobatchTokens(small, 6.5 * GB, 1024)).toBeGreaterThanOrEqual(64)
  })

  const batch = (rows: number, time: number, targets: number) => ({
    ids: int32(new Int32Array(rows * time), [rows, time]),
    logitRows: int32(new Int32Array(targets)),
    targets: int32(new Int32Array(targets)),
    origins: [],
  })

  it('refuses a microbatch that cannot fit, saying what would, and lets through what fitted before', () => {
    let free = 2 * GB
    const guard = memoryGuard(setup, () => free)
    guard(batch(1, 512, 64))
    free = 0
    guard(batch(1, 512, 64))
    guard(batch(1, 256, 32))
    free = 0.5 * GB
    expect(() => guard(batch(16, 4096, 1024))).toThrow(
      /^training step: a microbatch of 16 × 4096 ids.*lower microbatchTokens to /,
    )
    expect(() => guard(batch(1, 32_768, 1024))).toThrow(/a sequence of \d+ ids would fit.*as they were$/)
  })

  it('a sequence longer than the model is refused, with the weights as they were', async () => {
    const weights = await tinyWeights(tinyConfig, 1)
    const before = await downloadWeight(weights['embed']!)
    const ids = new Array<number>(tinyConfig.maxPositions + 1).fill(5)
    const run = trainSupervised({
      policy: { config: tinyConfig, weights, tokenizer: letterTokenizer },
      ...{ steps: 1, learningRate: 1, progress: false },
      batch: () => [{ ids, tokenWeights: ids.map(() => 1) }],
    })
    await expect(run).rejects.toThrow('must hold at most 512 ids, the positions of the model')
    expect(await downloadWeight(weights['embed']!)).toEqual(before)
  })
})
