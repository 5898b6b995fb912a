// Trains the mini world's checkpoints with this project's own supervised fine-tuning: writes ../checkpoints/.
// Run: npm run mini:train [-- reader|ceiling|policy|simulator …]   (default: all, in this order; about an hour and a half on two cores)
//
// reader     learns to copy from documents, from nothing; an intermediate step, not shipped
// ceiling    learns to read from perfect trajectories: what a policy of this size can reach
// policy     goes on from the ceiling with a neutral mixture of behaviours: where reinforcement learning starts
// simulator  goes on from the ceiling, learning to write documents
import { readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { writeCheckpoint } from '../../../src/model/checkpoint.js'
import { parseModelConfig } from '../../../src/model/config.js'
import { downloadWeights, uploadWeight } from '../../../src/model/weights.js'
import type { Weights } from '../../../src/model/weights.js'
import { loadModel } from '../../../src/language-model/local-model.js'
import { createRandom } from '../../../src/random/seeded-random.js'
import { loadTokenizer } from '../../../src/tokenizer/load-tokenizer.js'
import { trainSupervised } from '../../../src/train/supervised.js'
import type { Example, SupervisedOptions } from '../../../src/train/supervised.js'
import { NEUTRAL, PERFECT } from './behaviours.js'
import { wordwiseEncoder } from './encode.js'
import { policyExample, simulatorExample } from './examples.js'
import type { ExampleSource } from './examples.js'
import { initialWeights } from './initialise.js'
import { trainingSource } from './source.js'

const BATCH = 48
const READER = fileURLToPath(new URL('../../../.cache/mini/reader', import.meta.url))
const MINI = fileURLToPath(new URL('../', import.meta.url))
const CONFIG = {
  architectures: ['Qwen2ForCausalLM'],
  model_type: 'qwen2',
  vocab_size: 2048,
  hidden_size: 160,
  num_hidden_layers: 4,
  num_attention_heads: 5,
  num_key_value_heads: 5,
  head_dim: 32,
  intermediate_size: 448,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 1e6,
  max_position_embeddings: 2048,
  tie_word_embeddings: true,
  use_sliding_window: false,
  eos_token_id: 0,
  pad_token_id: 0,
  dtype: 'float32',
}

/** Full rate for the first third, then down in a straight line. */
const schedule =
  (peak: number, steps: number) =>
  (step: number): number =>
    peak * Math.min(1, (step + 1) / 100) * Math.max(0.03, Math.min(1, 1.5 - (1.5 * step) / steps))

function plan(
  policy: SupervisedOptions['policy'],
  steps: number,
  peak: number,
  batch: SupervisedOptions['batch'],
): SupervisedOptions {
  const started = Date.now()
  let tokens = 0
  let losses: number[] = []
  return {
    policy,
    steps,
    beta2: 0.98,
    weightDecay: 0.01,
    batch,
    learningRate: schedule(peak, steps),
    onStep(record) {
      tokens += record.tokens
      losses.push(record.loss)
      if ((record.step + 1) % 50 !== 0) return
      const seconds = (Date.now() - started) / 1000
      const loss = losses.reduce((a, b) => a + b, 0) / losses.length
      console.log(
        `step ${record.step + 1}/${steps}  loss ${loss.toFixed(3)}  ${(tokens / 1e6).toFixed(2)} M tokens  ${seconds.toFixed(0)} s`,
      )
      losses = []
    },
  }
}

const examples = (make: () => Example): Example[] => Array.from({ length: BATCH }, make)

async function reader(source: ExampleSource): Promise<void> {
  const config = parseModelConfig(CONFIG)
  const weights: Weights = {}
  for (const [key, { shape, data }] of Object.entries(initialWeights(config, 1)))
    weights[key] = await uploadWeight(key, shape, data)
  const random = createRandom(5)
  const batch = (step: number): Example[] =>
    examples(() =>
      policyExample(random, source, {
        odds: PERFECT,
        // One document and one hop first; noise when there is something to tell it from.
        noise: step > 400 ? 0.15 : 0,
        documents: Math.min(5, 1 + Math.floor(step / 80)),
        real: step < 400 ? 0.1 : 0.3,
        hops: step < 240 ? [1] : [0.6, 0.33, 0.07],
        informationWeight: random() < 0.2 ? 0.1 : 0,
        copies: 0.15,
        drills: step < 240 ? 0 : 0.35,
      }),
    )
  const options = plan({ config, weights, tokenizer }, 1000, 2e-3, batch)
  await trainSupervised({ ...options, learningRate: (step) => 2e-3 * Math.min(1, (step + 1) / 100) })
  const files: Record<string, string> = { 'config.json': `${JSON.stringify(CONFIG, null, 2)}\n` }
  for (const name of ['tokenizer.json', 'tokenizer_config.json'])
    files[name] = readFileSync(`${MINI}tokenizer/${name}`, 'utf8')
  await writeCheckpoint(READER, { files, tensors: downloadWeights(weights), dtype: 'bfloat16', overwrite: true })
}

async function ceiling(source: ExampleSource): Promise<void> {
  const model = await loadModel(READER)
  const random = createRandom(8)
  const batch = (): Example[] =>
    examples(() =>
      policyExample(random, source, {
        odds: PERFECT,
        noise: 0.15,
        documents: 5,
        real: 0.4,
        hops: [0.5, 0.36, 0.1, 0.04],
        informationWeight: 0,
        copies: 0.02,
        drills: 0.35,
      }),
    )
  const options = plan(model, 2400, 2e-3, batch)
  await trainSupervised({
    ...options,
    async onStep(record) {
      await options.onStep?.(record)
      if ((record.step + 1) % 500 === 0)
        await model.save(`${MINI}checkpoints/ceiling`, { dtype: 'bfloat16', overwrite: true })
    },
  })
  await model.save(`${MINI}checkpoints/ceiling`, { dtype: 'bfloat16', overwrite: true })
}

async function policy(source: ExampleSource): Promise<void> {
  const model = await loadModel(`${MINI}checkpoints/ceiling`)
  const random = createRandom(6)
  const batch = (): Example[] =>
    examples(() =>
      policyExample(random, source, {
        odds: NEUTRAL,
        noise: 0.3,
        documents: 5,
        real: 0.5,
        hops: [0.55, 0.38, 0.07],
        informationWeight: 0,
        copies: 0,
        drills: 0,
      }),
    )
  await trainSupervised(plan(model, 240, 5e-4, batch))
  await model.save(`${MINI}checkpoints/policy`, { dtype: 'bfloat16', overwrite: true })
}

/** First what documents look like, then names, whole, however rare; last that one hop too many has no answer. */
async function simulator(source: ExampleSource): Promise<void> {
  const phases = [
    { from: 'ceiling', steps: 1500, peak: 1.5e-3, real: 0.4, informationWeight: 0.1, query: 1, seed: 7 },
    { from: 'simulator', steps: 700, peak: 8e-4, real: 0.3, informationWeight: 0.03, query: 1, seed: 9 },
    { from: 'simulator', steps: 700, peak: 8e-4, real: 0.3, informationWeight: 0.03, query: 0.85, seed: 10 },
    { from: 'simulator', steps: 500, peak: 8e-4, real: 0.3, informationWeight: 0.03, query: 0.93, seed: 11 },
  ]
  for (const { from, steps, peak, real, informationWeight, query, seed } of phases) {
    const model = await loadModel(`${MINI}checkpoints/${from}`)
    const random = createRandom(seed)
    const batch = (): Example[] =>
      examples(() =>
        simulatorExample(random, source, {
          odds: { ...PERFECT, query },
          noise: 0.4,
          documents: 5,
          real,
          hops: [0.55, 0.38, 0.07],
          informationWeight,
          copies: 0,
          drills: 0,
        }),
      )
    await trainSupervised(plan(model, steps, peak, batch))
    await model.save(`${MINI}checkpoints/simulator`, { dtype: 'bfloat16', overwrite: true })
    model.dispose()
  }
}

const stages = { reader, ceiling, policy, simulator }
const chosen = process.argv.slice(2)
const tokenizer = await loadTokenizer(`${MINI}tokenizer`)
const source = {
  tokenizer: { vocabSize: tokenizer.vocabSize, encode: wordwiseEncoder(tokenizer) },
  ...trainingSource(),
}
for (const [name, stage] of Object.entries(stages)) {
  if (chosen.length > 0 && !chosen.includes(name)) continue
  console.log(`training the ${name}`)
  await stage(source)
}
