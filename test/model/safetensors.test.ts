import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { writeError } from '../../src/file/write-error.js'
import { decodeFloats, encodeFloats } from '../../src/model/float-bytes.js'
import { createSafetensors } from '../../src/model/safetensors-writer.js'
import { openSafetensors, openWeights } from '../../src/model/safetensors.js'
import { checkpointFolder, temporaryFolder } from './fixtures.js'

const folder = temporaryFolder()
let files = 0

function fileOf(header: unknown, data = 0): string {
  const body = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header))
  const length = Buffer.alloc(8)
  length.writeBigUInt64LE(BigInt(body.length))
  const path = join(folder, `${files++}.safetensors`)
  writeFileSync(path, Buffer.concat([length, body, Buffer.alloc(data)]))
  return path
}

const entry = (dtype: string, shape: number[], data_offsets: [number, number]): object => ({
  dtype,
  shape,
  data_offsets,
})

describe('reading', () => {
  it('refuses files that are cut off', async () => {
    const whole = readFileSync(join(checkpointFolder('qwen3'), 'model.safetensors'))
    const path = join(folder, 'cut.safetensors')
    for (const size of [0, 7, 100, whole.length - 1]) {
      writeFileSync(path, whole.subarray(0, size))
      await expect(openSafetensors(path), `${size} bytes`).rejects.toThrow('truncated')
    }
  })

  it.each([
    ['no JSON', '{', 0, 'the header is not JSON'],
    ['no record', '[1]', 0, 'the header is broken'],
    ['unknown dtype', { a: entry('I64', [1], [0, 8]) }, 8, "'a' has dtype I64; supported are F32, BF16 and F16"],
    ['inherited name as dtype', { a: entry('toString', [1], [0, 4]) }, 4, "'a' has dtype toString"],
    ['range outside of the file', { a: entry('F32', [3], [0, 12]) }, 8, 'truncated'],
    ['range of another size', { a: entry('F32', [3], [0, 8]) }, 8, "'a' of shape [3] needs 12 bytes"],
    ['range backwards', { a: entry('F32', [1], [8, 4]) }, 8, 'needs 4 bytes'],
    [
      'overlap',
      { a: entry('F32', [2], [0, 8]), b: entry('F32', [2], [4, 12]) },
      12,
      "the ranges of 'a' and 'b' overlap",
    ],
    ['negative dimension', { a: entry('F32', [-1], [0, 4]) }, 4, 'the header is broken'],
  ])('refuses a header with %s', async (_, header, data, message) => {
    await expect(openSafetensors(fileOf(header, data))).rejects.toThrow(message)
  })

  it('refuses a header longer than the format allows, without reading it', async () => {
    const path = join(folder, 'long.safetensors')
    writeFileSync(path, Buffer.alloc(64, 0xff))
    await expect(openSafetensors(path)).rejects.toThrow('no safetensors file')
  })

  it('names a tensor or a file that is not there', async () => {
    const source = await openSafetensors(fileOf({ a: entry('F32', [1], [0, 4]) }, 4))
    await expect(source.read('b')).rejects.toThrow("has no tensor 'b'")
    await source.close()
    await expect(openSafetensors(join(folder, 'absent'))).rejects.toThrow('cannot open')
  })

  it('reads shards, and checks their index', async () => {
    const source = await openWeights(checkpointFolder('qwen2-sharded'))
    expect(source.shapes.get('lm_head.weight')).toEqual([305, 32])
    expect(await source.read('lm_head.weight')).toHaveLength(305 * 32)
    await expect(source.read('other')).rejects.toThrow("has no tensor 'other'")
    await source.close()
    const index = join(folder, 'model.safetensors.index.json')
    writeFileSync(index, JSON.stringify({ weight_map: { a: '../a.safetensors' } }))
    await expect(openWeights(folder)).rejects.toThrow('which has a path')
    fileOf({ a: entry('F32', [1], [0, 4]) }, 4)
    writeFileSync(index, JSON.stringify({ weight_map: { b: `${files - 1}.safetensors` } }))
    await expect(openWeights(folder)).rejects.toThrow("puts 'b' into")
    writeFileSync(index, '[]')
    await expect(openWeights(folder)).rejects.toThrow('is not a shard index')
  })
})

describe('numbers', () => {
  const bfloat16 = (x: number): number => new Uint16Array(encodeFloats('BF16', Float32Array.of(x)).slice().buffer)[0]!

  it('bfloat16 rounds to nearest, ties to even', () => {
    // 1 is 0x3f80; one step is 2^-7 there.
    expect(bfloat16(1)).toBe(0x3f80)
    expect(bfloat16(1 + 2 ** -8)).toBe(0x3f80)
    expect(bfloat16(1 + 3 * 2 ** -8)).toBe(0x3f82)
    expect(bfloat16(1 + 2 ** -8 + 2 ** -20)).toBe(0x3f81)
    expect(bfloat16(-1 - 3 * 2 ** -8)).toBe(0xbf82)
    expect(bfloat16(3.4028234e38)).toBe(0x7f80)
    expect(bfloat16(Infinity)).toBe(0x7f80)
    expect(bfloat16(NaN) & 0x7fff).toBeGreaterThan(0x7f80)
  })

  it('bfloat16 is the nearest of its neighbours', () => {
    fc.assert(
      fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 }), (x) => {
        const back = new Float32Array(1)
        const bits = bfloat16(x)
        const distance = (candidate: number): number => {
          decodeFloats('BF16', new Uint8Array(Uint16Array.of(candidate).buffer), back)
          return Math.abs(back[0]! - x)
        }
        const own = distance(bits)
        expect(own).toBeLessThanOrEqual(distance(bits + 1))
        if ((bits & 0x7fff) > 0) expect(own).toBeLessThanOrEqual(distance(bits - 1))
      }),
    )
  })

  it('float16 is read exactly, subnormals and specials too', () => {
    const halves = Uint16Array.of(0x3c00, 0xc000, 0x0001, 0x83ff, 0x7bff, 0x7c00, 0xfc00, 0x7e00, 0x8000)
    const values = new Float32Array(halves.length)
    decodeFloats('F16', new Uint8Array(halves.buffer), values)
    expect([...values]).toEqual([1, -2, 2 ** -24, -1023 * 2 ** -24, 65504, Infinity, -Infinity, NaN, -0])
  })
})

describe('writing', () => {
  it('gives back what was written, in any order', async () => {
    const path = join(folder, 'round.safetensors')
    const values = fc.array(fc.float({ noNaN: true }), { minLength: 0, maxLength: 20 })
    await fc.assert(
      fc.asyncProperty(fc.dictionary(fc.string({ minLength: 1 }), values, { maxKeys: 5 }), async (tensors) => {
        // Not a tensor's name by the format, and no own key of a record in JavaScript.
        fc.pre(!Object.keys(tensors).some((name) => ['__metadata__', '__proto__'].includes(name)))
        const shapes = Object.fromEntries(Object.entries(tensors).map(([name, data]) => [name, [data.length]]))
        const writer = await createSafetensors(path, shapes, 'float32')
        for (const [name, data] of Object.entries(tensors).reverse()) await writer.write(name, Float32Array.from(data))
        await writer.finish()
        const source = await openSafetensors(path)
        for (const [name, data] of Object.entries(tensors)) expect([...(await source.read(name))]).toEqual(data)
        await source.close()
      }),
      { numRuns: 30 },
    )
  })

  it('leaves the earlier file alone until the new one is whole', async () => {
    const own = temporaryFolder()
    const path = join(own, 'model.safetensors')
    writeFileSync(path, 'earlier')
    const shapes = { a: [2], b: [1] }
    const first = await createSafetensors(path, shapes, 'float32')
    await first.write('a', Float32Array.of(1, 2))
    await expect(first.write('a', Float32Array.of(1, 2))).rejects.toThrow("'a' was written before")
    await expect(first.write('c', Float32Array.of(1))).rejects.toThrow("no place for 'c'")
    await expect(first.write('b', Float32Array.of(1, 2))).rejects.toThrow("'b' has 1 values, got 2")
    await expect(first.finish()).rejects.toThrow("lacks 1 tensors, 'b' first")
    expect(readdirSync(own)).toEqual(['model.safetensors'])
    expect(readFileSync(path, 'utf8')).toBe('earlier')
  })

  it('says that the disk is full', () => {
    const full = Object.assign(new Error('write'), { code: 'ENOSPC' })
    expect(writeError('/there', full).message).toBe(
      'cannot write /there: no space left on the disk; free some or choose another folder',
    )
  })
})
