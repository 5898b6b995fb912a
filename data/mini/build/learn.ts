// The quickstart notebook's training with several seeds: writes ../checkpoints/learned-<split>.json.
// Run: npm run mini:learn [-- validation|test [seed …]]   (default: validation, seeds 0 1 2)
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../../src/mini/dataset.js'
import { evaluate } from '../../../src/evaluation/evaluate.js'
import { policyMethod } from '../../../src/evaluation/methods/policy.js'
import { loadModel } from '../../../src/language-model/local-model.js'
import type { LocalModel } from '../../../src/language-model/local-model.js'
import { miniProtocol as protocol } from '../../../src/mini/protocol.js'
import { createBm25Engine } from '../../../src/search/bm25.js'
import { drawQuality } from '../../../src/simulator/curriculum.js'
import { miniSimulatorPrompt } from '../../../src/mini/simulator-prompt.js'
import { createSimulator } from '../../../src/simulator/simulator.js'
import { train } from '../../../src/train/train.js'

const split = process.argv[2] === 'test' ? 'test' : 'validation'
const seeds = process.argv.length > 3 ? process.argv.slice(3).map(Number) : [0, 1, 2]
const inDomain = async (of: 'train' | typeof split) => [
  ...(await miniQuestions('mini-nq', of)),
  ...(await miniQuestions('mini-hotpotqa', of)),
]

const simulatorModel = await loadModel(miniCheckpoint('simulator'), { slots: 96 })
const simulator = createSimulator(simulatorModel, { prompt: miniSimulatorPrompt })
const bm25 = await createBm25Engine(await miniDocuments(split))
const questions = await inDomain(split)

async function measure(policy: LocalModel): Promise<Record<string, number>> {
  const methods = [
    policyMethod('bm25', policy, { searchEngine: bm25, protocol }),
    policyMethod('noise 0.5', policy, {
      searchEngine: simulator,
      protocol,
      quality: (search, seed) => drawQuality(0.5, seed, search),
    }),
  ]
  const scores = await evaluate({ methods, questions })
  const mean = (value: 'em' | 'searches', method: string, dataset?: string): number => {
    const selected = scores.filter((score) => score.method === method && (!dataset || score.dataset === dataset))
    return Math.round((1000 * selected.reduce((sum, score) => sum + score[value], 0)) / selected.length) / 1000
  }
  return {
    em: mean('em', 'bm25'),
    emOneHop: mean('em', 'bm25', 'mini-nq'),
    emTwoHops: mean('em', 'bm25', 'mini-hotpotqa'),
    emAtNoise50: mean('em', 'noise 0.5'),
    searches: mean('searches', 'bm25'),
    searchesAtNoise50: mean('searches', 'noise 0.5'),
  }
}

const runs = []
for (const seed of seeds) {
  const policy = await loadModel(miniCheckpoint('policy'), { slots: 96 })
  const before = await measure(policy)
  console.log(`seed ${seed}, before`, before)
  const started = performance.now()
  await train({
    algorithm: 'grpo',
    policy,
    searchEngine: simulator,
    questions: await inDomain('train'),
    protocol,
    curriculum: { start: 0, end: 0.3 },
    updates: 16,
    questionsPerUpdate: 16,
    groupSize: 6,
    learningRate: 4e-4,
    learningRateSchedule: 'linear',
    klCoef: 0.005,
    seed,
    onUpdate(record) {
      const { update, reward, em, noiseThreshold, searchesPerQuestion, kl, answered } = record
      const numbers = { reward, em, noiseThreshold, searchesPerQuestion, kl, answered }
      const text = Object.entries(numbers).map(([name, value]) => `${name} ${value.toFixed(3)}`)
      const seconds = (performance.now() - started) / 1000
      console.log(`update ${update}  ${text.join('  ')}  ${seconds.toFixed(0)} s`)
      return undefined
    },
  })
  const trainingSeconds = Math.round((performance.now() - started) / 1000)
  const after = await measure(policy)
  console.log(`seed ${seed}, after ${trainingSeconds} s`, after)
  runs.push({ seed, trainingSeconds, before, after })
  policy.dispose()
}
const file = fileURLToPath(new URL(`../checkpoints/learned-${split}.json`, import.meta.url))
writeFileSync(file, `${JSON.stringify({ metric: 'greedy exact match, in-domain', split, runs }, null, 2)}\n`)
