import { createHash } from 'node:crypto'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { hiddenStates, unembed } from '../../src/model/forward.js'
import { blockFormats } from '../../src/model/gguf/block-formats.js'
import { ggufName, readGguf } from '../../src/model/gguf/checkpoint.js'
import { readGgufHeader } from '../../src/model/gguf/header.js'
import { llama3Scaling } from '../../src/model/gguf/rope-factors.js'
import { openCheckpoint } from '../../src/model/open-checkpoint.js'
import { inverseFrequencies } from '../../src/model/rope.js'
import { downloadWeights, readWeights } from '../../src/model/weights.js'
import type { Weights } from '../../src/model/weights.js'
import { compile } from '../../src/tensor/compile.js'
import type { Traced } from '../../src/tensor/compile.js'
import { int32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { loadTokenizer, readTokenizer } from '../../src/tokenizer/load-tokenizer.js'
import { checkpointFolder, decodeArray, largestDifference, readGolden, temporaryFolder } from './fixtures.js'

const FOLDER = join(import.meta.dirname, '../parity/fixtures/gguf')
const file = (name: string): string => join(FOLDER, `${name}.gguf`)

interface Encoded {
  shape: number[]
  base64: string
}
interface Rows {
  rows: { ids: number[]; logits: Encoded }[]
  greedy: { prompt: number[]; ids: number[] }[]
}
/** What test/parity/make-gguf.py writes. */
interface GgufGolden {
  formats: Record<string, { number: number; bytes: string; values: Encoded }>
  models: Record<string, Rows & { checkpoint: string }>
  kModels: Record<string, Rows & { weights: Record<string, string> }>
  decomposed: { text: string; ids: number[] }[]
}
const golden = JSON.parse(readFileSync(join(FOLDER, 'golden.json'), 'utf8')) as GgufGolden

test.each(Object.entries(golden.formats))('%s gives the values of the gguf package, bit for bit', (_, stored) => {
  const expected = decodeArray(stored.values).data
  const values = new Float32Array(expected.length)
  blockFormats.get(stored.number)!.decode(Buffer.from(stored.bytes, 'base64'), values)
  expect(new Uint32Array(values.buffer)).toEqual(new Uint32Array(expected.buffer))
})

test.each([
  { factor: 8, low: 1, high: 4, positions: 8192, theta: 500_000, headDim: 128 },
  { factor: 32, low: 1, high: 4, positions: 8192, theta: 500_000, headDim: 64 },
])("the factors of Llama 3's scaling by $factor tell its parameters", ({ factor, low, high, positions, ...head }) => {
  const plain = inverseFrequencies({ theta: head.theta }, head.headDim)
  const bounds = { lowFreqFactor: low, highFreqFactor: high, originalMaxPositions: positions }
  const scaled = inverseFrequencies({ theta: head.theta, scaling: { type: 'llama3', factor, ...bounds } }, head.headDim)
  const factors = Float32Array.from(plain, (frequency, i) => frequency / scaled[i]!)
  expect(llama3Scaling(factors, head.theta, head.headDim)).toEqual({
    rope_type: 'llama3',
    factor,
    low_freq_factor: low,
    high_freq_factor: high,
    original_max_position_embeddings: positions,
  })
  expect(llama3Scaling(factors.fill(1), head.theta, head.headDim)).toBeNull()
})

test('every format that is read has its golden values', () => {
  const numbers = Object.values(golden.formats).map(({ number }) => number)
  expect([...blockFormats.keys()].sort()).toEqual(numbers.sort())
})

const options = { slots: 4, contextLength: 64, tokensPerCall: 4, prefillChunk: 8 }

async function checkLogits(model: LocalModel, rows: Rows['rows']): Promise<void> {
  const forward = compile('logits', ({ ids }: Traced<{ ids: HostTensor }>, state: Weights) => {
    const weights = readWeights(state)
    const hidden = hiddenStates(model.config, weights, ids)
    return { logits: unembed(model.config, weights, hidden.reshape([ids.shape[1]!, model.config.hiddenSize])) }
  })
  for (const { ids, logits: encoded } of rows) {
    const expected = decodeArray(encoded)
    const { logits } = await forward({ ids: int32(ids, [1, ids.length]) }, model.weights)
    expect(logits.shape).toEqual(expected.shape)
    expect(largestDifference(logits.data, expected.data)).toBeLessThan(1e-4)
  }
  forward.dispose()
}

async function checkGreedy(model: LocalModel, greedy: Rows['greedy']): Promise<void> {
  for (const { prompt, ids } of greedy) {
    const conversation = await model.start({ temperature: 0, topP: 1, topK: 0 }, 1)
    const generation = await conversation.generate(prompt, { maxTokens: ids.length, stop: [] })
    conversation.end()
    // A generation ends with an id that ends texts; those of the reference go on.
    expect(generation.ids).toEqual(ids.slice(0, generation.ids.length))
    const next = ids[generation.ids.length]
    expect(next === undefined || model.tokenizer.eosIds.includes(next)).toBe(true)
  }
}

describe.each(Object.entries(golden.kModels))(
  '%s, a model of blocks of 256 values',
  (name, { weights, rows, greedy }) => {
    it('has the values of the gguf package, bit for bit', async () => {
      const header = await readGgufHeader(file(name))
      const found: Record<string, string> = {}
      for await (const { key, data } of (await readGguf(file(name))).tensors()) {
        found[ggufName(key)] = createHash('sha256').update(data).digest('hex')
      }
      expect(found).toEqual(weights)
      expect(Object.keys(weights).sort()).toEqual([...header.tensors.keys()].sort())
    })

    it('has the logits and the greedy ids of transformers', async () => {
      const model = await loadModel(file(name), options)
      await checkLogits(model, rows)
      await checkGreedy(model, greedy)
      model.dispose()
    })
  },
)

test.each(['qwen2', 'qwen3'])('%s composes characters as Qwen2Tokenizer of transformers does', async (name) => {
  const tokenizer = await readTokenizer((await readGguf(file(name))).texts)
  for (const { text, ids } of golden.decomposed) expect(tokenizer.encode(text), text).toEqual(ids)
})

describe.each(Object.entries(golden.models))('%s', (name, { checkpoint, rows, greedy }) => {
  let model: LocalModel
  beforeAll(async () => {
    model = await loadModel(file(name), options)
  })
  afterAll(() => model?.dispose())

  it('has the logits of transformers', () => checkLogits(model, rows))

  it('decodes the greedy ids of transformers', () => checkGreedy(model, greedy))

  it('has the architecture of the checkpoint that it was made of', async () => {
    const { config } = await openCheckpoint(checkpointFolder(checkpoint))
    expect({ ...model.config, rmsNormEps: 0 }).toEqual({ ...config, rmsNormEps: 0 })
    expect(model.config.rmsNormEps).toBeCloseTo(config.rmsNormEps, 10)
  })

  it('has its tokenizer and chat template', async () => {
    const original = await loadTokenizer(checkpointFolder(checkpoint))
    const { tokenizer } = model
    expect(tokenizer.vocabSize).toBe(original.vocabSize)
    expect(tokenizer.specialTokens).toEqual(original.specialTokens)
    const { texts, chats } = readGolden(checkpoint)
    for (const { text, ids } of texts) expect(tokenizer.encode(text)).toEqual(ids)
    for (const { messages, prompt } of chats) expect(tokenizer.renderPrompt(messages)).toBe(prompt)
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 60 }), (text) => {
        expect(tokenizer.encode(text)).toEqual(original.encode(text))
      }),
      { numRuns: 300 },
    )
  })

  it('is saved as a folder that loads with the same weights and tokenizer', async () => {
    const folder = join(temporary, `saved-${name}`)
    await model.save(folder)
    const saved = await openCheckpoint(folder)
    expect(saved.config).toEqual(model.config)
    const tokenizer = await readTokenizer(saved.texts)
    const text = 'The harbour of Velm, 1204'
    expect(tokenizer.encode(text)).toEqual(model.tokenizer.encode(text))
    expect(tokenizer.eosIds).toEqual(model.tokenizer.eosIds)
    const messages = [{ role: 'user' as const, content: 'hi' }]
    expect(tokenizer.renderPrompt(messages)).toBe(model.tokenizer.renderPrompt(messages))
    const weights = new Map<string, Float32Array>()
    for await (const { key, data } of downloadWeights(model.weights)) weights.set(key, data)
    for await (const { key, data } of saved.tensors()) expect(data).toEqual(weights.get(key))
  })
})

const temporary = temporaryFolder()
let count = 0

/** A copy of qwen2.gguf with a change. */
function changed(change: (bytes: Buffer) => Buffer | void, from = 'qwen2'): string {
  const path = join(temporary, `changed-${count++}.gguf`)
  const bytes = readFileSync(file(from))
  writeFileSync(path, change(bytes) ?? bytes)
  return path
}

/** Where the text stands in the bytes. */
function find(bytes: Buffer, text: string): number {
  const at = bytes.indexOf(text)
  expect(at).toBeGreaterThan(0)
  return at
}

/** Where dimensions, type and offset of a tensor stand. */
function tensorInfo(bytes: Buffer, name: string): { dims: number; type: number; offset: number } {
  const at = find(bytes, name) + name.length
  const dims = at + 4
  const type = dims + 8 * bytes.readUInt32LE(at)
  return { dims, type, offset: type + 4 }
}

const tooMany = (bytes: Buffer, at: number): void => void bytes.writeBigUInt64LE(2n ** 60n, at)
const GATE = 'blk.0.ffn_gate.weight'

describe('a file is refused that', () => {
  it.each<[string, (bytes: Buffer) => Buffer | void, RegExp]>([
    ['is none', () => Buffer.from('PK\u0003\u0004 a zip'), /is a file and no GGUF; name a GGUF, or the folder/],
    ['is empty', () => Buffer.alloc(0), /is a file and no GGUF/],
    ['is cut in its first bytes', (b) => b.subarray(0, 20), /the file is truncated: 20 bytes hold no header/],
    ['is cut in its fields', (b) => b.subarray(0, 500), /claims 26 tensors; 500 bytes hold at most 20/],
    ['is cut in its tokens', (b) => b.subarray(0, 2000), /truncated|broken/],
    [
      'is cut in its tensors',
      (b) => b.subarray(0, b.length - 100),
      /ends at byte \d+, the file at \d+: the file is trunc/,
    ],
    ['has version 1', (b) => void b.writeUInt32LE(1, 4), /its version is 1; 2 and 3 are read/],
    ['is big-endian', (b) => void b.writeUInt32BE(3, 4), /its numbers are big-endian; .* convert it/],
    ['claims too many tensors', (b) => tooMany(b, 8), /it claims 1152921504606846976 tensors; \d+ bytes hold at most/],
    ['claims too many fields', (b) => tooMany(b, 16), /it claims 1152921504606846976 fields/],
    [
      'claims too many tokens',
      (b) => tooMany(b, find(b, 'tokenizer.ggml.tokens') + 'tokenizer.ggml.tokens'.length + 8),
      /its header is broken: Metadata array length 1152921504606846976 exceeds/,
    ],
    ['claims too long a string', (b) => tooMany(b, 24), /its header is broken: String length/],
    [
      'has a tensor behind its end',
      (b) => tooMany(b, tensorInfo(b, GATE).offset),
      /'blk.0.ffn_gate.weight' .* ends at/,
    ],
    [
      'has a tensor at an odd place',
      (b) => void b.writeBigUInt64LE(33n, tensorInfo(b, GATE).offset),
      /is at 33, which is no multiple of 32/,
    ],
    [
      'has tensors that overlap',
      (b) => void b.writeBigUInt64LE(0n, tensorInfo(b, GATE).offset),
      /the ranges of '.*' and '.*' overlap/,
    ],
    ['has a format of no name', (b) => void b.writeUInt32LE(999, tensorInfo(b, GATE).type), /unknown number 999; read/],
    [
      'has another format',
      (b) => void b.writeUInt32LE(10, tensorInfo(b, GATE).type),
      /is stored as Q2_K; read are F32/,
    ],
    [
      'has a huge shape',
      (b) => void b.writeBigUInt64LE(2n ** 31n, tensorInfo(b, GATE).dims + 8),
      /'blk.0.ffn_gate.weight' of shape \[32, 2147483648\] ends at byte/,
    ],
    [
      'has an empty shape',
      (b) => void b.writeBigUInt64LE(0n, tensorInfo(b, GATE).dims),
      /has the shape \[0, 48\]; 1 to 4 positive dimensions/,
    ],
    [
      'has a weight of another shape',
      (b) => void b.writeBigUInt64LE(24n, tensorInfo(b, GATE).dims + 8),
      /weights do not fit the config: 'blk.0.ffn_gate.weight' should be \[48, 32\], is \[24, 32\]/,
    ],
    [
      'lacks a weight',
      (b) => void b.write('blk.0.ffn_gatt.weight', find(b, GATE)),
      /no model of qwen2 has 'blk.0.ffn_gatt.weight'/,
    ],
    [
      'has a weight twice',
      (b) => void b.write('blk.0.ffn_gate.weight', find(b, 'blk.1.ffn_gate.weight')),
      /it has 'blk.0.ffn_gate.weight' twice/,
    ],
    [
      'is of another architecture',
      (b) => void b.write('qwen9', find(b, 'general.architecture') + 20 + 4 + 8),
      /general.architecture "qwen9" is not supported; supported are llama, qwen2, qwen3/,
    ],
    [
      'lacks a field',
      (b) => void b.write('qwen2.block_cound', find(b, 'qwen2.block_count')),
      /expected .*\n.*block_count|block_count/,
    ],
    [
      'splits text in another way',
      (b) => void b.write('qwen9', find(b, 'tokenizer.ggml.pre') + 18 + 4 + 8),
      /tokenizer.ggml.pre 'qwen9' is not supported/,
    ],
    [
      'ends texts with an id that is none',
      (b) => void b.writeUInt32LE(99999, find(b, 'tokenizer.ggml.eos_token_id') + 27 + 4),
      /tokenizer.ggml.eos_token_id must be below 320, the number of tokens, got 99999/,
    ],
    [
      'is aligned to no power of two',
      (b) => {
        // The first field's name takes as many bytes.
        const name = 'general.architecture'
        const at = find(b, name) - 8
        const field = Buffer.concat([Buffer.alloc(8), Buffer.from('general.alignment'), Buffer.alloc(8)])
        field.writeBigUInt64LE(17n)
        field.writeUInt32LE(4, 25)
        field.writeUInt32LE(33, 29)
        b.writeBigUInt64LE(b.readBigUInt64LE(16) + 1n, 16)
        return Buffer.concat([b.subarray(0, at), field, b.subarray(at)])
      },
      /general.alignment must be a power of two in \[8, 65536\], got 33/,
    ],
  ])('%s', async (_, change, message) => {
    const path = changed(change)
    await expect(loadModel(path)).rejects.toThrow(message)
    await expect(loadModel(path)).rejects.toThrow(path)
  })

  it('is there no more', async () => {
    await expect(readGguf(join(temporary, 'none.gguf'))).rejects.toThrow('gguf: cannot open')
  })

  it('has rotary factors of no Llama', async () => {
    const { begin } = (await readGgufHeader(file('llama'))).tensors.get('rope_freqs.weight')!
    const path = changed((b) => void b.writeFloatLE(3, begin), 'llama')
    const refusal = `gguf: ${path}: the factors in rope_freqs.weight are not those of Llama 3`
    await expect(loadModel(path)).rejects.toThrow(refusal)
  })

  it('has any byte of its header changed to any other: it loads, or says why not, soon', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(9000), fc.integer({ min: 0, max: 255 }), async (at, byte) => {
        const path = changed((b) => void (b[at] = byte))
        const outcome = await readGguf(path).then(
          ({ texts }) =>
            readTokenizer(texts).then(
              () => 'loaded',
              (error: Error) => error.message,
            ),
          (error: Error) => error.message,
        )
        expect(outcome === 'loaded' || outcome.includes(path)).toBe(true)
      }),
      { numRuns: 300 },
    )
  })

  it('shrinks while it is read: nothing stays on the device', async () => {
    const path = join(temporary, 'shrinking.gguf')
    copyFileSync(file('qwen2'), path)
    const checkpoint = await readGguf(path)
    writeFileSync(path, readFileSync(path).subarray(0, 20_000))
    const all = async (): Promise<void> => {
      for await (const { key } of checkpoint.tensors()) expect(key).toBeTruthy()
    }
    await expect(all()).rejects.toThrow(/ended inside of '.*'; did the file change\?/)
  })
})

describe('a header of several pieces', () => {
  const text = (value: string): Buffer => {
    const bytes = Buffer.from(value)
    const length = Buffer.alloc(8)
    length.writeBigUInt64LE(BigInt(bytes.length))
    return Buffer.concat([length, bytes])
  }
  const words = (...numbers: number[]): Buffer => Buffer.from(Uint32Array.from(numbers).buffer)
  const list = (key: string, strings: readonly string[]): Buffer =>
    Buffer.concat([text(key), words(9, 8, strings.length, 0), ...strings.map(text)])

  /** The first byte of the string that is cut stands `place` bytes before the end of a piece. */
  const read = async (place: number, after: readonly string[]): Promise<Record<string, unknown>> => {
    const make = (padding: number): Buffer[] => [
      Buffer.concat([Buffer.from('GGUF'), words(3, 0, 0, 3, 0)]),
      list('before', ['a', '']),
      list('list', [...Array<string>(19).fill('x'.repeat(100_000)), 'y'.repeat(padding), last, ...after]),
      list('more', ['b', '']),
    ]
    const parts = make(0)
    const behind = Buffer.concat([...after.map(text), parts[3]!]).length + Buffer.byteLength(last)
    const path = join(temporaryFolder(), 'pieces.gguf')
    writeFileSync(path, Buffer.concat(make(2_000_000 - place - (Buffer.concat(parts).length - behind))))
    return (await readGgufHeader(path)).metadata
  }
  const last = 'ééé and the end'
  const cases = [[], ['z']].flatMap((after) => [-12, -9, -8, -7, -1, 0, 1, 5, 8].map((place) => ({ after, place })))

  it.each(cases)(
    'has every string whole where a piece ends $place bytes after its first byte',
    async ({ place, after }) => {
      const metadata = await read(place, after)
      expect((metadata['list'] as string[]).slice(20)).toEqual([last, ...after])
      expect(metadata['more']).toEqual(['b', ''])
      expect(metadata['before']).toEqual(['a', ''])
    },
  )
})
