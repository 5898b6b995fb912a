// Adapters of PEFT: what they compute, their gradients and one step, and their files.
import { execFile } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { hiddenStates, unembed } from '../../src/model/forward.js'
import { openSafetensors } from '../../src/model/safetensors.js'
import { disposeWeights, downloadWeight, readWeights, zeroWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { float32, int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { compileLoss, modelWeights } from '../../src/train/loss-function.js'
import { perTarget, toMicrobatches } from '../../src/train/microbatch.js'
import type { TargetInputs } from '../../src/train/microbatch.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { checkpointFolder, decodeArray, largestDifference, temporaryFolder } from '../model/fixtures.js'

type Encoded = Parameters<typeof decodeArray>[0]

interface Golden {
  prompt: number
  learningRate: number
  sequences: number[][]
  logits: Encoded[]
  loss: number
  gradNorm: number
  gradients: Record<string, Encoded>
  stepped: Record<string, Encoded>
  parameters: number
}

/** A Python with what test/parity/requirements.txt names, where there is one. */
const PYTHON = [process.env['ZEROSEARCH_PARITY_PYTHON'], '.parity/venv/bin/python'].find(
  (python) => python !== undefined && existsSync(python),
)

const adapterFolder = (name: string): string => join(import.meta.dirname, '../parity/fixtures/lora', name)

/** PEFT's name of an adapter's matrix. */
function peftName(key: string): string {
  const [, layer, part, matrix] = /^layers\.(\d+)\.(\w+)\.lora([AB])$/.exec(key)!
  const module = ['gate', 'up', 'down'].includes(part!) ? 'mlp' : 'self_attn'
  return `base_model.model.model.layers.${layer}.${module}.${part}_proj.lora_${matrix}.weight`
}

async function logitsOf(policy: LocalModel, ids: number[]): Promise<Float32Array> {
  const { trainable, frozen } = modelWeights(policy)
  const forward = compile('logits', (inputs: Traced<{ ids: HostTensor }>, state: Weights) => {
    const weights = readWeights(state)
    const hidden = hiddenStates(policy.config, weights, inputs.ids)
    return { logits: unembed(policy.config, weights, hidden.reshape([ids.length, policy.config.hiddenSize])) }
  })
  const { logits } = await forward({ ids: int32(ids, [1, ids.length]) }, { ...trainable, ...frozen })
  forward.dispose()
  return logits.data as Float32Array
}

describe.each(['llama3', 'qwen2', 'qwen3'])('an adapter of %s against PEFT', (name) => {
  const golden = JSON.parse(readFileSync(join(adapterFolder(name), 'golden.json'), 'utf8')) as Golden
  const folder = temporaryFolder()
  let policy: LocalModel

  beforeAll(async () => {
    policy = await loadModel(checkpointFolder(name), { adapter: adapterFolder(name), slots: 4, tokensPerCall: 4 })
  }, 120_000)
  afterAll(() => policy?.dispose())

  it('has its matrices, and gives its logits', async () => {
    const source = await openSafetensors(join(adapterFolder(name), 'adapter_model.safetensors'))
    expect([...source.shapes.keys()].sort()).toEqual(Object.keys(policy.adapter!.weights).map(peftName).sort())
    for (const [key, variable] of Object.entries(policy.adapter!.weights))
      expect(await downloadWeight(variable)).toEqual(await source.read(peftName(key)))
    await source.close()
    for (const [i, ids] of golden.sequences.entries()) {
      expect(largestDifference(await logitsOf(policy, ids), decodeArray(golden.logits[i]!).data)).toBeLessThan(1e-4)
    }
  })

  it('decodes with the log-probabilities that training has', async () => {
    const prompt = golden.sequences[0]!
    const conversation = await policy.start({ temperature: 1, topP: 1, topK: 0 }, 3)
    const { ids, logprobs } = await conversation.generate(prompt, { maxTokens: 12, stop: [] })
    conversation.end()
    const logits = await logitsOf(policy, [...prompt, ...ids])
    const rows = policy.config.vocabSize
    ids.forEach((id, i) => {
      const place = (prompt.length + i - 1) * rows
      const row = logits.subarray(place, place + policy.tokenizer.vocabSize)
      const highest = Math.max(...row)
      const sum = row.reduce((total, value) => total + Math.exp(value - highest), 0)
      expect(Math.abs(logprobs[i]! - (row[id]! - highest - Math.log(sum)))).toBeLessThan(1e-4)
    })
  })

  it('merged into a whole model it gives the same logits', async () => {
    const merged = join(folder, 'merged')
    await policy.save(merged, { merged: true })
    const whole = await loadModel(merged)
    expect(whole.adapter).toBeUndefined()
    for (const [i, ids] of golden.sequences.entries())
      expect(largestDifference(await logitsOf(whole, ids), decodeArray(golden.logits[i]!).data)).toBeLessThan(1e-4)
    whole.dispose()
  })

  it('gives its gradients', async () => {
    const model = modelWeights(policy)
    const gradients = await zeroWeights(model.trainable)
    type Inputs = TargetInputs & { weight: HostTensor }
    const accumulate = compileLoss(
      'loss',
      policy,
      { temperature: 1, bfloat16: false },
      ({ logprobs }, inputs: Traced<Inputs>) => ({ loss: logprobs.mul(inputs.weight).sum().neg(), metrics: {} }),
    )
    const sequences = golden.sequences.map((ids) => ({
      ids,
      trained: ids.flatMap((_, place) => (place < golden.prompt ? [] : [place])),
    }))
    const total = sequences.reduce((sum, { trained }) => sum + trained.length, 0)
    let loss = 0
    for (const batch of toMicrobatches(sequences, 4096)) {
      const { ids, logitRows, targets } = batch
      const inputs = { ids, logitRows, targets, weight: float32(perTarget(batch, () => 1 / total)) }
      loss += (await accumulate(inputs, { ...model, gradients })).loss.data[0]!
    }
    expect(loss).toBeCloseTo(golden.loss, 4)
    expect(Object.keys(gradients).map(peftName).sort()).toEqual(Object.keys(golden.gradients).sort())
    for (const [key, gradient] of Object.entries(gradients)) {
      const expected = decodeArray(golden.gradients[peftName(key)]!)
      expect(gradient.shape).toEqual(expected.shape)
      expect(largestDifference(await downloadWeight(gradient), expected.data), key).toBeLessThan(1e-4)
    }
    accumulate.dispose()
    disposeWeights(gradients)
  })

  it('learns as it does, and the model below stays as it is', async () => {
    const before = await values(policy.weights)
    // PEFT's numbers are without dropout.
    const lora = { ...policy.config.lora!, dropout: 0 }
    await trainSupervised({
      policy: { ...policy, config: { ...policy.config, lora } },
      steps: 1,
      learningRate: golden.learningRate,
      bfloat16: false,
      batch: () =>
        golden.sequences.map((ids) => ({ ids, tokenWeights: ids.map((_, i) => (i < golden.prompt ? 0 : 1)) })),
      onStep: ({ gradNorm }) => expect(gradNorm / golden.gradNorm).toBeCloseTo(1, 4),
    })
    for (const [key, variable] of Object.entries(policy.adapter!.weights)) {
      const expected = decodeArray(golden.stepped[peftName(key)]!)
      expect(largestDifference(await downloadWeight(variable), expected.data), key).toBeLessThan(1e-4)
    }
    expect(await values(policy.weights)).toEqual(before)
  })

  it.skipIf(!PYTHON)('is read by PEFT, and by transformers when merged', { timeout: 300_000 }, async () => {
    const [adapter, merged, numbers] = ['written', 'whole', 'numbers.json'].map((file) => join(folder, file))
    await policy.save(adapter!)
    await policy.save(merged!, { merged: true })
    const logits: Encoded[] = []
    for (const ids of golden.sequences) {
      const data = Buffer.from((await logitsOf(policy, ids)).buffer)
      logits.push({ shape: [ids.length, policy.config.vocabSize], base64: data.toString('base64') })
    }
    writeFileSync(numbers!, JSON.stringify({ sequences: golden.sequences, logits }))
    const script = join(import.meta.dirname, '../parity/check-lora.py')
    const { stdout } = await promisify(execFile)(PYTHON!, [script, checkpointFolder(name), adapter!, merged!, numbers!])
    expect(stdout.match(/agrees/g)).toHaveLength(3)
  })

  it('comes back from the folder that it is saved in', async () => {
    const saved = join(folder, 'adapter')
    await policy.save(saved)
    const again = await loadModel(checkpointFolder(name), { adapter: saved })
    const { weights, ...settings } = policy.adapter!
    expect(again.adapter).toMatchObject(settings)
    expect(await values(again.adapter!.weights)).toEqual(await values(weights))
    again.dispose()
    const alone = await loadModel(saved)
    expect(await values(alone.adapter!.weights)).toEqual(await values(weights))
    alone.dispose()
  })
})

async function values(weights: Weights): Promise<Record<string, Float32Array>> {
  const entries = Object.entries(weights).map(async ([key, variable]) => [key, await downloadWeight(variable)] as const)
  return Object.fromEntries(await Promise.all(entries))
}
