// Supervised fine-tuning: what is learned, held out and saved; and examples that do not fit.
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import { readExamples } from '../../src/dataset/read-examples.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel, LocalModelOptions } from '../../src/language-model/local-model.js'
import { downloadWeight } from '../../src/model/weights.js'
import type { FinetuneRecord } from '../../src/schema/finetune-record.js'
import type { TextExample } from '../../src/schema/text-example.js'
import { finetune } from '../../src/train/finetune.js'
import type { FinetuneOptions } from '../../src/train/finetune-options.js'
import { modelWeights } from '../../src/train/loss-function.js'
import { prepareExamples } from '../../src/train/prepare-examples.js'
import { TrainingStopped } from '../../src/train/training-stopped.js'
import { checkpointFolder } from '../model/fixtures.js'

const folder = mkdtempSync(join(tmpdir(), 'finetune-'))
const open: LocalModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  open.forEach((model) => model.dispose())
  rmSync(folder, { recursive: true })
})

async function load(options: LocalModelOptions = {}, name = 'qwen2'): Promise<LocalModel> {
  const model = await loadModel(name.includes('/') ? name : checkpointFolder(name), { slots: 1, ...options })
  open.push(model)
  return model
}

const WORDS = ['Lima', 'Rome', 'Oslo', 'Cairo', 'Quito', 'Kyiv', 'Tokyo', 'Accra', 'Paris', 'Bern']
const dialogue = (word: string, i: number): TextExample => ({
  messages: [
    { role: 'user', content: `Say ${word}.` },
    { role: 'assistant', content: word },
    ...(i % 3 === 0
      ? ([
          { role: 'user', content: 'Again!' },
          { role: 'assistant', content: `${word} ${word}` },
        ] as const)
      : []),
  ],
})
const examples = WORDS.map(dialogue)

const run = (model: LocalModel, more: Partial<FinetuneOptions> = {}): Promise<FinetuneRecord[]> =>
  finetune({ model, examples, epochs: 2, batchSize: 4, learningRate: 2e-3, seed: 3, ...more })

const untimed = (records: readonly FinetuneRecord[]): object[] => records.map((record) => ({ ...record, seconds: 0 }))

const allWeights = (model: LocalModel): Promise<Float32Array[]> =>
  Promise.all(Object.values(modelWeights(model).trainable).map(downloadWeight))

describe('learning', () => {
  it('lowers the loss, sees each example once an epoch, and follows the schedule', async () => {
    const records = await run(await load(), { epochs: 12, warmupRatio: 0.1, bfloat16: false })
    expect(records).toHaveLength(36)
    expect(records.map(({ step }) => step)).toEqual(Array.from({ length: 36 }, (_, i) => i + 1))
    expect(records[2]!.epoch).toBe(1)
    expect(records.at(-1)!.loss).toBeLessThan(0.5 * records[0]!.loss)
    const epochs = Array.from({ length: 12 }, (_, i) =>
      records.slice(3 * i, 3 * i + 3).reduce((sum, { tokens }) => sum + tokens, 0),
    )
    expect(new Set(epochs).size).toBe(1)
    expect(records[0]!.learningRate).toBeCloseTo(2e-3 / 3.6, 12)
    expect(records.at(-1)!.learningRate).toBeLessThan(records[10]!.learningRate)
  })

  it('trains an adapter alone, and the same with and without packing', async () => {
    const apart = await load({ adapter: { rank: 4, seed: 1 } })
    const before = await downloadWeight(apart.weights['embed']!)
    const records = await run(apart, { bfloat16: false })
    expect(await downloadWeight(apart.weights['embed']!)).toEqual(before)
    const together = await load({ adapter: { rank: 4, seed: 1 } })
    const packed = await run(together, { bfloat16: false, packing: true })
    packed.forEach(({ loss, gradNorm, tokens }, i) => {
      expect(loss).toBeCloseTo(records[i]!.loss, 5)
      expect(gradNorm / records[i]!.gradNorm).toBeCloseTo(1, 4)
      expect(tokens).toBe(records[i]!.tokens)
    })
  })

  it('measures held-out examples, which it does not learn from, and ends on their best weights', async () => {
    const model = await load()
    const seen: number[] = []
    const records = await run(model, {
      heldOut: 0.3,
      evaluateEvery: 2,
      patience: 2,
      epochs: 100,
      learningRate: 0.02,
      learningRateSchedule: 'constant',
      bfloat16: false,
      onStep: ({ step }) => void seen.push(step),
    })
    expect(seen).toEqual(records.map(({ step }) => step))
    const measured = records.filter(({ heldOutLoss }) => heldOutLoss !== undefined)
    expect(measured.map(({ step }) => step)).toEqual(measured.map((_, i) => 2 * i + 2))
    expect(records.length).toBeLessThan(200)
    const losses = measured.map(({ heldOutLoss }) => heldOutLoss!)
    const best = Math.min(...losses)
    expect(losses.indexOf(best)).toBe(losses.length - 3)
    // Of the very weights that the model has now, measured as one more step that changes nothing.
    const again = await finetune({
      model,
      examples,
      heldOut: 0.3,
      seed: 3,
      batchSize: 100,
      epochs: 1,
      learningRate: 1e-12,
      bfloat16: false,
      progress: false,
    })
    expect(again[0]!.heldOutLoss).toBeCloseTo(best, 5)
  })

  it('learns from trajectories as they are, and from paths', async () => {
    const model = await load()
    const [first] = await prepareExamples('examples', examples, model.tokenizer, {
      assistantTurns: 'all',
      parseSpecialTokens: false,
      maxLength: 100,
      faults: 'throw',
    })
    const asIds = await run(model, {
      examples: [{ ids: first!.ids, lossMask: first!.tokenWeights }],
      epochs: 1,
    })
    const path = join(folder, 'one.jsonl')
    writeFileSync(path, `${JSON.stringify(examples[0])}\n`)
    expect(untimed(await run(await load(), { examples: [path], epochs: 1 }))).toEqual(untimed(asIds))
  })
})

describe('a saved run', () => {
  it.each([
    ['all weights', {}],
    ['an adapter with dropout', { adapter: { rank: 4, dropout: 0.2, seed: 5 } }],
  ])('goes on from the folder as if it had never stopped: %s', async (name, options) => {
    const settings = { epochs: 4, heldOut: 0.2, evaluateEvery: 2, patience: 50 }
    const straight = await load(options)
    const expected = await run(straight, settings)
    expect(expected).toHaveLength(8)
    const saveTo = join(folder, `stopped ${name}`)
    const stop = new AbortController()
    const stopped = run(await load(options), {
      ...settings,
      saveTo,
      signal: stop.signal,
      onStep: ({ step }) => (step === 3 ? stop.abort() : undefined),
    })
    await expect(stopped).rejects.toThrow(TrainingStopped)
    await expect(stopped).rejects.toThrow(`Stopped in step 3 of 8.`)
    const fresh = await load(options)
    const resumed = await run(fresh, { ...settings, saveTo, resume: true })
    expect(untimed(resumed)).toEqual(untimed(expected))
    expect(await allWeights(fresh)).toEqual(await allWeights(straight))
    const saved = await load({}, join(saveTo, 'policy'))
    expect(await allWeights(saved)).toEqual(await allWeights(straight))
    const lines = readFileSync(join(saveTo, 'metrics.jsonl'), 'utf8').trim().split('\n')
    expect(untimed(lines.map((line) => JSON.parse(line) as FinetuneRecord))).toEqual(untimed(expected))
    // A run that is over stays as it is.
    const over = await load(options)
    expect(await run(over, { ...settings, saveTo, resume: true })).toEqual(resumed)
    expect(await allWeights(over)).toEqual(await allWeights(straight))
    expect(readdirSync(folder).filter((file) => file.startsWith('.'))).toEqual([])
  })

  it('refuses other settings and other examples, and a run of another kind', async () => {
    const saveTo = join(folder, 'settings')
    const model = await load()
    await run(model, { saveTo, epochs: 1 })
    await expect(run(model, { saveTo, epochs: 1 })).rejects.toThrow('finetune: saveTo: ')
    const resume = (more: Partial<FinetuneOptions>): Promise<unknown> =>
      run(model, { saveTo, epochs: 1, resume: true, ...more })
    await expect(resume({ learningRate: 1 })).rejects.toThrow(
      `finetune: a resumed run keeps its settings: learningRate is 0.002 in ${saveTo}, got 1; give the same`,
    )
    await expect(resume({ examples: examples.slice(1) })).rejects.toThrow('examples is "10, content')
    await expect(resume({ packing: true, allowChanges: ['learningRate'] })).rejects.toThrow('packing is false')
    const manifest = JSON.parse(readFileSync(join(saveTo, 'run.json'), 'utf8')) as object
    expect(manifest).toMatchObject({ manifest: { algorithm: 'sft', epochs: 1, batchSize: 4, seed: 3 }, updates: 3 })
  })

  it('keeps the weights and what was saved where the loss is not finite', async () => {
    const model = await load()
    await expect(run(model, { learningRate: 1e30, maxGradNorm: 1e30, epochs: 50 })).rejects.toThrow(
      /finetune, step \d+: (the loss|optimizer step: the gradient norm) must be finite/,
    )
    for (const weight of await allWeights(model)) expect(weight.every(Number.isFinite)).toBe(true)
  })
})

describe('examples that do not fit', () => {
  const bad = [
    '{"messages": [{"role": "user", "content": "a"}]}',
    '{"messages": [{"role": "assistant", "content": "a"',
    '{"text": "a"}',
    '{"messages": [{"role": "wizard", "content": "a"}]}',
    '{"prompt": "a", "completion": [{"role": "assistant", "content": "a"}]}',
    `{"prompt": "a", "completion": ${JSON.stringify('long '.repeat(400))}}`,
    'null',
    '{"prompt": [], "completion": ""}',
  ]

  it('are named and counted, and left out where that is said', async () => {
    const path = join(folder, 'bad.jsonl')
    writeFileSync(path, `${JSON.stringify(examples[0])}\n${bad.join('\n')}\n`)
    appendFileSync(path, `${JSON.stringify(examples[1])}\n`)
    const model = await load()
    const all = run(model, { examples: path, epochs: 1 })
    await expect(all).rejects.toThrow('finetune: examples: 8 of 10 records do not fit: line 2: messages hold no turn')
    await expect(all).rejects.toThrow('line 3: every line must be one whole JSON record')
    await expect(all).rejects.toThrow('line 5: messages 1: role must be system, user, assistant, tool, got "wizard"')
    await expect(all).rejects.toThrow("and 3 more. Mend them, or leave them out with faults: 'skip'")
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const records = await run(model, { examples: path, epochs: 1, faults: 'skip' })
    expect(records).toHaveLength(1)
    expect(warn.mock.calls[0]![0]).toContain('finetune: examples: 8 of 10 records are left out because they do not fit')
    expect(untimed(records)).toEqual(untimed(await run(await load(), { examples: examples.slice(0, 2), epochs: 1 })))
  })

  it.each<[Partial<FinetuneOptions>, string]>([
    [{ examples: [] }, 'finetune: examples must be a list of examples, the path of a file of them, or a list of paths'],
    [{ examples: 'absent.jsonl' }, 'read examples absent.jsonl: the file does not exist'],
    [
      { examples: [{ messages: [] }] },
      'none of 1 records is an example that fits: examples.0: column messages must be',
    ],
    [{ examples: [{ ids: [1, 999], lossMask: [0, 1] }] }, 'ids must be integers in [0, 305), got 999'],
    [{ examples: [{ ids: [1, 2], lossMask: [1, 0] }] }, 'it has no token to learn from'],
    [{ examples, maxLength: 20 }, '20 that the model or maxLength allows'],
    [{ epochs: 0 }, 'finetune: epochs must be at least 1, got 0'],
    [{ heldOut: 1 }, 'finetune: heldOut must be'],
    [{ heldOut: 0.99 }, 'heldOut must leave an example to learn from, got 0.99 of 10'],
    [{ patience: 2 }, 'finetune: heldOut must be given where patience or evaluateEvery is'],
    [{ maxLength: 10_000 }, 'finetune: maxLength must be at most'],
    [{ batchsize: 2 } as object, 'finetune: there is no option batchsize; did you mean batchSize?'],
  ])('or options are refused: %o', async (options, message) => {
    await expect(run(await load(), options)).rejects.toThrow(message)
  })
})

describe('texts', () => {
  const settings = { assistantTurns: 'all', parseSpecialTokens: false, maxLength: 500, faults: 'throw' } as const
  const golden = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/chats.json'), 'utf8')) as Record<
    string,
    { messages?: object[]; prompt: string; completion: string; ids: number[]; lossMask: number[] }[]
  >

  it.each(['qwen2', 'llama3', 'qwen2-sharded'])(
    'of prompt and completion are trained as TRL trains them: %s',
    async (name) => {
      const { tokenizer } = await load({}, name)
      const cases = golden[name]!.filter(({ prompt }) => typeof prompt === 'string')
      expect(cases).toHaveLength(2)
      const made = await prepareExamples('examples', cases, tokenizer, settings)
      expect(made).toEqual(cases.map(({ ids, lossMask }) => ({ ids, tokenWeights: lossMask })))
    },
  )

  it('are plain, but for special tokens where that is said', async () => {
    const { tokenizer } = await load()
    const texts = [{ prompt: '<|im_start|>user', completion: 'x<|im_end|>' }]
    const [plain] = await prepareExamples('examples', texts, tokenizer, settings)
    const [parsed] = await prepareExamples('examples', texts, tokenizer, { ...settings, parseSpecialTokens: true })
    expect(parsed!.ids).toEqual([...tokenizer.encode('<|im_start|>user'), ...tokenizer.encode('x<|im_end|>')])
    expect(plain!.ids.length).toBeGreaterThan(parsed!.ids.length)
    expect(tokenizer.decode(plain!.ids)).toBe('<|im_start|>userx<|im_end|><|im_end|>')
    expect(plain!.ids.filter((id) => tokenizer.eosIds.includes(id))).toHaveLength(1)
  })

  it('come from Parquet as Hugging Face datasets writes it', async () => {
    const { tokenizer } = await load()
    const conversations = golden['qwen2']!.slice(0, 5)
    const path = join(import.meta.dirname, '../parity/fixtures/chats.parquet')
    expect(await prepareExamples('examples', path, tokenizer, settings)).toEqual(
      conversations.map(({ ids, lossMask }) => ({ ids, tokenWeights: lossMask })),
    )
    expect(await readExamples(path)).toEqual(conversations.map(({ messages }) => ({ messages })))
  })
})
