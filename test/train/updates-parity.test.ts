// Two whole updates of each algorithm against torch (test/parity/make-updates.py): log-probabilities, advantages, critic, loss,
// gradient, clipping and Adam, in each update two epochs.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import { checkpointName } from '../../src/model/weight-names.js'
import { downloadWeight } from '../../src/model/weights.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import type { Group } from '../../src/train/learner.js'
import { createLearner } from '../../src/train/run-config.js'
import type { Algorithm, RunConfig } from '../../src/train/run-config.js'
import { settingsOf } from './settings.js'

interface Golden {
  settings: { epochs: number; learningRate: number; criticLearningRate: number; klCoef: number }
  stride: number
  groups: number[]
  rewards: number[][]
  ids: number[][]
  masks: number[][]
  runs: {
    name: string
    algorithm: Algorithm
    shared: boolean
    settings: Partial<RunConfig>
    updates: { logprobs: number[][]; values: number[][] | null; weights: Record<string, number[]> }[]
  }[]
}

const fixtures = join(import.meta.dirname, '../parity/fixtures')
const golden = JSON.parse(readFileSync(join(fixtures, 'updates.json'), 'utf8')) as Golden

/** The groups of an update, with the sampler's log-probabilities. */
function groupsOf(rewards: readonly number[], logprobs: readonly number[][]): Group[] {
  const trajectories = golden.ids.map((ids, i): Trajectory => {
    let next = 0
    return {
      question: { id: 'q', dataset: 'd', question: '', goldAnswers: [''] },
      turns: [],
      ids,
      lossMask: golden.masks[i]!,
      logprobs: golden.masks[i]!.map((mask) => (mask === 1 ? logprobs[i]![next++]! : 0)),
      promptLength: golden.masks[i]!.indexOf(1),
      answer: null,
      stopReason: 'answer',
      searches: 0,
      seed: 0,
    }
  })
  let next = 0
  return golden.groups.map((size) => {
    const place = next
    next += size
    const members = trajectories.slice(place, next)
    return { question: members[0]!.question, trajectories: members, rewards: rewards.slice(place, next) }
  })
}

test.each(golden.runs)('$name', async ({ algorithm, shared, settings, updates }) => {
  const { epochs, learningRate, criticLearningRate, klCoef } = golden.settings
  const policy = await loadModel(join(fixtures, 'checkpoints/qwen2'))
  const usesKl = !['dr-grpo', 'dapo', 'gspo'].includes(algorithm)
  const config = settingsOf(algorithm, {
    ...settings,
    epochs,
    updates: 10,
    // Small, so that a step has several microbatches.
    microbatchTokens: 40,
    ...(usesKl && { klCoef }),
    ...(algorithm === 'ppo' && { critic: { shared, learningRate: criticLearningRate, warmupRatio: 0 } }),
  })
  const learner = await createLearner(policy, config)
  for (const [number, expected] of updates.entries()) {
    const step = await learner.step(groupsOf(golden.rewards[number]!, expected.logprobs), learningRate)
    expect(step.skipped).toBeUndefined()
    expect(step.measures!['optimizerSteps']).toBe(epochs)
    let compared = 0
    const worst = { error: 0, key: '' }
    const compare = async (key: string, variable: (typeof policy.weights)[string], torch: number[]): Promise<void> => {
      const ours = (await downloadWeight(variable)).filter((_, i) => i % golden.stride === 0)
      expect(ours).toHaveLength(torch.length)
      torch.forEach((value, i) => {
        compared++
        const error = Math.abs(ours[i]! - value)
        if (error > worst.error) Object.assign(worst, { error, key })
      })
    }
    for (const [key, variable] of Object.entries(policy.weights))
      await compare(key, variable, expected.weights[checkpointName('qwen2', key)]!)
    const state = learner.state().weights
    const head = (shared ? state['valueHead'] : state['critic'])?.['valueHead']
    if (head) await compare('value head', head, expected.weights['value_head']!)
    expect(worst.error, `the weight ${worst.key}`).toBeLessThan(1e-4)
    expect(compared).toBeGreaterThan(300)
  }
  learner.dispose()
  policy.dispose()
})
