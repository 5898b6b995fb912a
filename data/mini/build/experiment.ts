// Trains one arm of ./arms.ts with each seed and measures it before and after: appends a record for each to ../experiments.jsonl.
// A record that is there is not made again.
// Run: npm run mini:experiment -- ARM [seed …]              (default: seed 0; figures on the test split)
//      npm run mini:experiment -- ARM --try '{"learningRate":1e-3}' [seed …]   (prints the curve on validation, no more)
import { appendFileSync, existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { fileURLToPath } from 'node:url'
import { evaluate } from '../../../src/evaluation/evaluate.js'
import { policyMethod } from '../../../src/evaluation/methods/policy.js'
import { loadModel } from '../../../src/language-model/local-model.js'
import type { LocalModel } from '../../../src/language-model/local-model.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../../src/mini/dataset.js'
import type { Split } from '../../../src/mini/dataset.js'
import { EXPERIMENTS_FILE, NOISE_QUESTIONS, miniExperiments } from '../../../src/mini/experiments.js'
import type { Experiment, ExperimentFigures } from '../../../src/mini/experiments.js'
import { miniSimulatorPrompt } from '../../../src/mini/simulator-prompt.js'
import type { Question } from '../../../src/schema/question.js'
import type { Score } from '../../../src/schema/score.js'
import { createBm25Engine } from '../../../src/search/bm25.js'
import { drawQuality } from '../../../src/simulator/curriculum.js'
import { createSimulator } from '../../../src/simulator/simulator.js'
import { train } from '../../../src/train/train.js'
import { ARMS } from './arms.js'
import type { Arm } from './arms.js'

const RUNS = fileURLToPath(new URL('../../../runs/experiments', import.meta.url))
/** Questions of each set for the curve. */
const CURVE_QUESTIONS = 40
/** The curve has a point after so many updates. */
const CURVE_EVERY = 2

const { positionals, values } = parseArgs({ allowPositionals: true, options: { try: { type: 'string' } } })
const [name = '', ...rest] = positionals
const seeds = rest.length > 0 ? rest.map(Number) : [0]
if (!Object.hasOwn(ARMS, name))
  throw new Error(`experiment: an arm must be one of ${Object.keys(ARMS).join(', ')}, got '${name}'`)
if (seeds.some((seed) => !Number.isInteger(seed)))
  throw new Error(`experiment: seeds must be integers, got ${rest.join(' ')}`)
const changes = values.try === undefined ? {} : (JSON.parse(values.try) as Partial<Arm['settings']>)
const arm: Arm = { ...ARMS[name]!, settings: { ...ARMS[name]!.settings, ...changes } }
const trying = values.try !== undefined

const inDomain = async (of: Split, perSet?: number): Promise<Question[]> => [
  ...(await miniQuestions('mini-nq', of)).slice(0, perSet),
  ...(await miniQuestions('mini-hotpotqa', of)).slice(0, perSet),
]
const simulator = createSimulator(await loadModel(miniCheckpoint('simulator'), { slots: 96 }), {
  prompt: miniSimulatorPrompt,
})
const engine = await createBm25Engine(await miniDocuments('test'))
const curveEngine = await createBm25Engine(await miniDocuments('validation'))
const questions = await inDomain('test')
const noiseQuestions = await inDomain('test', NOISE_QUESTIONS)
const curveQuestions = await inDomain('validation', CURVE_QUESTIONS)

const round = (value: number): number => Math.round(1e4 * value) / 1e4
const mean = (of: readonly number[]): number => round(of.reduce((sum, value) => sum + value, 0) / of.length)
const words = ({ answer }: Score): number => (answer ?? '').split(/\s+/).filter((word) => word !== '').length

/** Greedy answers of the whole test split, by the real engine and by the simulator with noise in half of the searches. */
async function measure(policy: LocalModel): Promise<ExperimentFigures> {
  const { protocol } = arm
  const quality = (search: number, seed: number) => drawQuality(0.5, seed, search)
  const real = await evaluate({
    methods: [policyMethod('bm25', policy, { searchEngine: engine, protocol })],
    questions,
    progress: false,
  })
  const noisy = await evaluate({
    methods: [policyMethod('noise 0.5', policy, { searchEngine: simulator, protocol, quality })],
    questions: noiseQuestions,
    progress: false,
  })
  return {
    em: mean(real.map(({ em }) => em)),
    emOneHop: mean(real.filter(({ dataset }) => dataset === 'mini-nq').map(({ em }) => em)),
    emTwoHops: mean(real.filter(({ dataset }) => dataset !== 'mini-nq').map(({ em }) => em)),
    coverEm: mean(real.map(({ coverEm }) => coverEm)),
    f1: mean(real.map(({ f1 }) => f1)),
    answerWords: mean(real.filter(({ answered }) => answered === 1).map(words)),
    answered: mean(real.map(({ answered }) => answered)),
    searches: mean(real.map(({ searches }) => searches)),
    emAtNoise50: mean(noisy.map(({ em }) => em)),
    searchesAtNoise50: mean(noisy.map(({ searches }) => searches)),
    right: real.map(({ em }) => em).join(''),
  }
}

async function validationEm(policy: LocalModel): Promise<number> {
  const methods = [policyMethod('now', policy, { searchEngine: curveEngine, protocol: arm.protocol })]
  return mean((await evaluate({ methods, questions: curveQuestions, progress: false })).map(({ em }) => em))
}

const seconds = (since: number): number => Math.round((performance.now() - since) / 100) / 10
const cpuSeconds = (since?: NodeJS.CpuUsage): number => {
  const { user, system } = process.cpuUsage(since)
  return Math.round((user + system) / 1e5) / 10
}

async function run(seed: number, before?: ExperimentFigures): Promise<Experiment | undefined> {
  const policy = await loadModel(miniCheckpoint('policy'), { slots: 96, ...(arm.adapter && { adapter: arm.adapter }) })
  // Greedy answers of one checkpoint to one prompt are the same each time.
  before ??= trying ? undefined : await measure(policy)
  const started = performance.now()
  const cpuStarted = process.cpuUsage()
  // Wall time that the curve took is no training.
  let curveSeconds = 0
  let curveCpuSeconds = 0
  const updates = await train({
    ...arm.settings,
    reward: arm.reward,
    policy,
    searchEngine: simulator,
    questions: await inDomain('train'),
    protocol: arm.protocol,
    seed,
    saveTo: `${RUNS}/${name}-${seed}${trying ? '-try' : ''}`,
    overwrite: true,
    progress: false,
    async onUpdate({ update, reward, em, noiseThreshold, searchesPerQuestion, kl, answered, clipFraction, measures }) {
      const { explainedVariance = 0 } = measures ?? {}
      const shown = { reward, em, noiseThreshold, searchesPerQuestion, kl, answered, clipFraction, explainedVariance }
      const text = Object.entries(shown).map(([key, value]) => `${key} ${value.toFixed(3)}`)
      console.log(`update ${update}  ${text.join('  ')}  ${seconds(started)} s`)
      if (update % CURVE_EVERY !== 0) return undefined
      const curveStarted = performance.now()
      const curveCpuStarted = process.cpuUsage()
      const metrics = { validationEm: await validationEm(policy) }
      curveSeconds += seconds(curveStarted)
      curveCpuSeconds += cpuSeconds(curveCpuStarted)
      console.log(`          validationEm ${metrics.validationEm}`)
      return metrics
    },
  })
  const trainingSeconds = Math.round(seconds(started) - curveSeconds)
  const trainingCpuSeconds = Math.round(cpuSeconds(cpuStarted) - curveCpuSeconds)
  const after = trying ? undefined : await measure(policy)
  console.log(`${name}, seed ${seed}: ${trainingSeconds} s, processor ${trainingCpuSeconds} s`, { before, after })
  policy.dispose()
  if (!before || !after) return undefined
  const { settings, protocol, reward, adapter } = arm
  return {
    arm: name,
    seed,
    settings: { ...settings, reward, protocol: protocol.name, ...(adapter && { adapter }) },
    trainingSeconds,
    trainingCpuSeconds,
    before,
    after,
    updates,
  }
}

for (const seed of seeds) {
  const made = existsSync(EXPERIMENTS_FILE) ? await miniExperiments() : []
  if (!trying && made.some((record) => record.arm === name && record.seed === seed)) {
    console.log(`${name}, seed ${seed}: there is a record already`)
    continue
  }
  const record = await run(seed, made.find(({ settings }) => settings.protocol === arm.protocol.name)?.before)
  if (record) appendFileSync(EXPERIMENTS_FILE, `${JSON.stringify(record)}\n`)
}
process.exit(0)
