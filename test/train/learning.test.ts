// The project's main job on its shipped checkpoints: a policy learns from a simulator LLM, and from nothing else.
import { afterAll, expect, test } from 'vitest'
import { miniCheckpoint, miniQuestions } from '../../src/mini/dataset.js'
import { setWeight } from '../../src/model/weights.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import { train } from '../../src/train/train.js'
import { untimed } from './tiny-policy.js'

const questions = [...(await miniQuestions('mini-nq', 'train')), ...(await miniQuestions('mini-hotpotqa', 'train'))]
const open: LocalModel[] = []
afterAll(() => open.forEach((policy) => policy.dispose()))

async function load(name: 'policy' | 'simulator'): Promise<LocalModel> {
  const policy = await loadModel(miniCheckpoint(name), { slots: 96 })
  open.push(policy)
  return policy
}

/** Every weight matrix drawn anew, with the spread that it had. */
async function randomise({ weights }: LocalModel): Promise<void> {
  const random = createRandom(5)
  for (const variable of Object.values(weights)) {
    if (variable.shape.length < 2) continue
    const size = variable.shape.reduce((a, b) => a * b, 1)
    await setWeight(
      variable,
      Float32Array.from({ length: size }, () => (random() - 0.5) * 0.15),
    )
  }
}

async function run(simulatorModel: LocalModel, updates: number): Promise<UpdateRecord[]> {
  return train({
    algorithm: 'grpo',
    policy: await load('policy'),
    searchEngine: createSimulator(simulatorModel, { prompt: miniSimulatorPrompt }),
    questions,
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0 },
    updates,
    questionsPerUpdate: 12,
    groupSize: 6,
    learningRate: 4e-4,
    warmupRatio: 0,
    klCoef: 0.005,
    seed: 3,
  })
}

test('GRPO on the simulator raises the reward, and a run repeats by its seed', async () => {
  const simulator = await load('simulator')
  const records = await run(simulator, 6)
  const again = await run(simulator, 2)
  expect(records[5]!.reward).toBeGreaterThan(records[0]!.reward + 0.2)
  expect(untimed(again)).toEqual(
    untimed(records.slice(0, 2).map((record, i) => ({ ...record, learningRate: again[i]!.learningRate }))),
  )
}, 300_000)

test('with the simulator LLM at random weights the same run fails to learn', async () => {
  const simulator = await load('simulator')
  await randomise(simulator)
  const records = await run(simulator, 6)
  expect(Math.max(...records.map((record) => record.reward))).toBeLessThan(0.15)
}, 300_000)
