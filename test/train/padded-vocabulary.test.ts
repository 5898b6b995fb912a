// An embedding with more rows than the tokenizer has ids: sampler, trainer and torch speak of one distribution.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { folderTexts } from '../../src/file/text-files.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { readCheckpoint, writeCheckpoint } from '../../src/model/checkpoint.js'
import type { NamedTensor } from '../../src/model/stored-tensors.js'
import { downloadWeight } from '../../src/model/weights.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { rollOutMany } from '../../src/rollout/roll-out.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { createGrpo } from '../../src/train/grpo.js'
import { compileTargetLogprobs } from '../../src/train/loss-function.js'
import { toMicrobatches } from '../../src/train/microbatch.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { settingsOf } from './settings.js'

const EXTRA = 512
const SETTINGS = settingsOf('grpo', { klCoef: 0.01 })
const folder = mkdtempSync(join(tmpdir(), 'padded-'))
const open: LocalModel[] = []
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

async function load(model: string): Promise<LocalModel> {
  const policy = await loadModel(model, { slots: 16, tokensPerCall: 1 })
  open.push(policy)
  return policy
}

/** Log-probabilities of the trained tokens as training takes them, sequence by sequence. */
async function trainedLogprobs(
  policy: LocalModel,
  sequences: { ids: readonly number[]; trained: readonly number[] }[],
  temperature: number,
): Promise<number[][]> {
  const compiled = compileTargetLogprobs(policy, { temperature, bfloat16: false })
  const result = sequences.map((): number[] => [])
  for (const { ids, logitRows, targets, origins } of toMicrobatches(sequences, 4096)) {
    const { logprobs } = await compiled({ ids, logitRows, targets }, { trainable: policy.weights, frozen: {} })
    origins.forEach(({ sequence }, i) => result[sequence]!.push(logprobs.data[i]!))
  }
  compiled.dispose()
  return result
}

const trainedPlaces = ({ ids, lossMask }: Trajectory): { ids: number[]; trained: number[] } => ({
  ids,
  trained: lossMask.flatMap((mask, place) => (mask === 1 ? [place] : [])),
})

describe('512 rows of zeros below the mini policy’s embedding', () => {
  let plain: LocalModel
  let padded: LocalModel
  beforeAll(async () => {
    const source = miniCheckpoint('policy')
    const { config, tensors } = await readCheckpoint(source)
    async function* widened(): AsyncGenerator<NamedTensor> {
      for await (const { key, shape, data } of tensors()) {
        if (key !== 'embed') {
          yield { key, shape, data }
          continue
        }
        const wide = new Float32Array(data.length + EXTRA * shape[1]!)
        wide.set(data)
        yield { key, shape: [shape[0]! + EXTRA, shape[1]!], data: wide }
      }
    }
    const text = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')) as object
    const files = { 'config.json': JSON.stringify({ ...text, vocab_size: config.vocabSize + EXTRA }) }
    const model = join(folder, 'padded')
    await writeCheckpoint(model, { tensors: widened(), dtype: 'float32', texts: folderTexts(source), files })
    plain = await load(source)
    padded = await load(model)
  })

  it.each([1, 2])(
    'at temperature %i the sampler’s log-probabilities are the trainer’s, and the ratio is 1',
    async (t) => {
      const questions = (await miniQuestions('mini-nq', 'train')).slice(0, 3)
      const played = await rollOutMany(
        padded,
        questions.flatMap((question, i) => [0, 1, 2, 3].map((k) => ({ question, seed: 10 * i + k }))),
        {
          searchEngine: await createBm25Engine(await miniDocuments('validation')),
          protocol: miniProtocol,
          sampling: { temperature: t, topP: 1, topK: 0 },
        },
      )
      const sequences = played.map(trainedPlaces)
      const logprobs = await trainedLogprobs(padded, sequences, t)
      const differences = sequences.flatMap(({ trained }, i) =>
        trained.map((place, n) => Math.abs(played[i]!.logprobs[place]! - logprobs[i]![n]!)),
      )
      expect(differences.length).toBeGreaterThan(100)
      expect(Math.max(...differences)).toBeLessThan(1e-4)
      const grpo = await createGrpo(padded, { ...SETTINGS, temperature: t })
      const groups = questions.map((question, i) => ({
        question,
        trajectories: played.slice(4 * i, 4 * i + 4),
        rewards: [1, 0, 0.5, 0.5],
      }))
      const step = await grpo.step(groups, 1e-9)
      expect(step.clipFraction).toBe(0)
      expect(step.kl).toBeCloseTo(0, 6)
      expect(step.samplingLogprobDifferenceMax).toBeCloseTo(Math.max(...differences), 5)
      expect(step.samplingLogprobDifferenceMax).toBeLessThan(1e-4)
      grpo.dispose()
    },
    300_000,
  )

  it('supervised fine-tuning begins with the loss of the model without them', async () => {
    const ids = plain.tokenizer.encode('Question: What is the capital of Peru?<answer> Lima</answer>')
    const losses: number[] = []
    for (const policy of [plain, padded]) {
      await trainSupervised({
        policy,
        steps: 1,
        learningRate: 0,
        bfloat16: false,
        batch: () => [{ ids, tokenWeights: ids.map(() => 1) }],
        onStep: ({ loss }) => void losses.push(loss),
      })
    }
    expect(losses[1]).toBeCloseTo(losses[0]!, 5)
  })
})

describe('GRPO on a padded vocabulary against torch', () => {
  interface Golden {
    settings: { learningRate: number; clip: number; klCoef: number }
    prompt: number
    ids: number[][]
    rewards: number[]
    runs: {
      temperature: number
      logprobs: number[][]
      steps: { loss: number; kl: number; gradNorm: number; logprobs: number[][]; weights: number[] }[]
    }[]
  }
  const fixtures = join(import.meta.dirname, '../parity/fixtures')
  const golden = JSON.parse(readFileSync(join(fixtures, 'padded-grpo.json'), 'utf8')) as Golden

  it.each(golden.runs)('two steps at temperature $temperature', async ({ temperature, logprobs, steps }) => {
    const policy = await load(join(fixtures, 'checkpoints/qwen2'))
    expect(policy.config.vocabSize).toBeGreaterThan(policy.tokenizer.vocabSize)
    const sequences = golden.ids.map((ids) => ({ ids, trained: ids.flatMap((_, i) => (i < golden.prompt ? [] : [i])) }))
    const close = (ours: number[][], torch: number[][]): void =>
      torch.forEach((row, i) => row.forEach((value, n) => expect(ours[i]![n]).toBeCloseTo(value, 3)))
    let now = await trainedLogprobs(policy, sequences, temperature)
    close(now, logprobs)
    const { clip, klCoef, learningRate } = golden.settings
    const grpo = await createGrpo(policy, { ...SETTINGS, clip, klCoef, temperature })
    for (const expected of steps) {
      const trajectories = sequences.map(({ ids, trained }, i): Trajectory => ({
        question: { id: 'q', dataset: 'd', question: '', goldAnswers: [''] },
        turns: [],
        ids,
        lossMask: ids.map((_, place) => (trained.includes(place) ? 1 : 0)),
        logprobs: [...new Array<number>(golden.prompt).fill(0), ...now[i]!],
        promptLength: golden.prompt,
        answer: null,
        stopReason: 'answer',
        searches: 0,
        seed: 0,
      }))
      const { question } = trajectories[0]!
      const step = await grpo.step([{ question, trajectories, rewards: golden.rewards }], learningRate)
      expect(step.loss).toBeCloseTo(expected.loss, 4)
      expect(step.kl).toBeCloseTo(expected.kl, 4)
      expect(step.gradNorm / expected.gradNorm).toBeCloseTo(1, 3)
      expect(step.clipFraction).toBe(0)
      now = await trainedLogprobs(policy, sequences, temperature)
      close(now, expected.logprobs)
      const weights = await downloadWeight(policy.weights['layers.0.q.weight']!)
      expected.weights.forEach((value, i) => expect(weights[i]).toBeCloseTo(value, 5))
    }
    grpo.dispose()
  })
})
