import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it, vi } from 'vitest'
import { folderTexts } from '../../src/file/text-files.js'
import { readCheckpoint, writeCheckpoint } from '../../src/model/checkpoint.js'
import type { NamedTensor } from '../../src/model/stored-tensors.js'
import { readModelConfig } from '../../src/model/config.js'
import { checkpointName, expectedShapes } from '../../src/model/weight-names.js'
import { CHECKPOINTS, checkpointFolder, temporaryFolder } from './fixtures.js'

async function weightsOf(folder: string): Promise<Record<string, Float32Array>> {
  const weights: Record<string, Float32Array> = {}
  for await (const { key, data } of (await readCheckpoint(folder)).tensors()) weights[key] = data
  return weights
}

describe('checkpoint', () => {
  const folder = temporaryFolder()

  it.each(CHECKPOINTS)('%s: has exactly the weights that the config calls for', async (name) => {
    const config = await readModelConfig(checkpointFolder(name))
    const named = Object.keys(expectedShapes(config)).map((key) => checkpointName(config.family, key))
    const index = join(checkpointFolder(name), 'model.safetensors.index.json')
    const inFile = existsSync(index)
      ? Object.keys((JSON.parse(readFileSync(index, 'utf8')) as { weight_map: object }).weight_map)
      : namesIn(join(checkpointFolder(name), 'model.safetensors'))
    expect(named.sort()).toEqual(inFile.sort())
  })

  it.each(CHECKPOINTS)('%s: comes back as it was, in one file or in shards', async (name) => {
    const source = checkpointFolder(name)
    const expected = await weightsOf(source)
    for (const maxShardBytes of [1e9, 20_000]) {
      const target = join(folder, `${name}-${maxShardBytes}`)
      const { tensors } = await readCheckpoint(source)
      await writeCheckpoint(target, { texts: folderTexts(source), tensors: tensors(), dtype: 'float32', maxShardBytes })
      expect(await weightsOf(target)).toEqual(expected)
      expect(readdirSync(target).filter((file) => file.endsWith('.safetensors')).length > 1).toBe(maxShardBytes < 1e9)
      for (const file of ['tokenizer.json', 'tokenizer_config.json', 'generation_config.json']) {
        expect(readFileSync(join(target, file))).toEqual(readFileSync(join(source, file)))
      }
    }
  })

  it('stores bfloat16, and says so in config.json', async () => {
    // Its weights are bfloat16 already, so nothing is rounded.
    const source = checkpointFolder('qwen2-sharded')
    const target = join(folder, 'half')
    const { tensors } = await readCheckpoint(source)
    await writeCheckpoint(target, { texts: folderTexts(source), tensors: tensors(), dtype: 'bfloat16' })
    expect(await weightsOf(target)).toEqual(await weightsOf(source))
    const again = { texts: folderTexts(target), tensors: tensors(), dtype: 'float32' as const }
    await expect(writeCheckpoint(target, again)).rejects.toThrow(
      'holds a checkpoint already; `overwrite: true` replaces it',
    )
    await writeCheckpoint(target, { ...again, overwrite: true })
    expect(JSON.parse(readFileSync(join(target, 'config.json'), 'utf8'))).toMatchObject({ torch_dtype: 'float32' })
  })

  it('takes files as text instead of a folder', async () => {
    const source = checkpointFolder('qwen3')
    const files = { 'config.json': readFileSync(join(source, 'config.json'), 'utf8') }
    const target = join(folder, 'texts')
    const { tensors } = await readCheckpoint(source)
    await writeCheckpoint(target, { files, tensors: tensors(), dtype: 'float32' })
    expect(readdirSync(target).sort()).toEqual(['config.json', 'model.safetensors'])
    await expect(writeCheckpoint(join(folder, 'none'), { tensors: tensors(), dtype: 'float32' })).rejects.toThrow(
      'needs config.json',
    )
  })

  it('keeps the earlier checkpoint when writing fails, and leaves nothing beside it', async () => {
    const source = checkpointFolder('llama3')
    const parent = temporaryFolder()
    const target = join(parent, 'model')
    const { tensors } = await readCheckpoint(source)
    await writeCheckpoint(target, { texts: folderTexts(source), tensors: tensors(), dtype: 'float32' })
    const before = await weightsOf(target)
    const fail = (change: (tensor: NamedTensor) => NamedTensor | undefined): Promise<void> =>
      writeCheckpoint(target, {
        texts: folderTexts(source),
        tensors: changed(tensors(), change),
        dtype: 'float32',
        overwrite: true,
      })
    await expect(fail((t) => (t.key === 'finalNorm' ? undefined : t))).rejects.toThrow("'model.norm.weight' first")
    await expect(fail((t) => ({ ...t, shape: [1] }))).rejects.toThrow("'embed' should be [305, 32], got [1]")
    await expect(fail((t) => ({ ...t, key: 'other' }))).rejects.toThrow("calls for no weight 'other'")
    const full = Object.assign(new Error('write'), { code: 'ENOSPC' })
    await expect(
      fail((t) => {
        if (t.key === 'finalNorm') throw full
        return t
      }),
    ).rejects.toThrow('no space left')
    expect(await weightsOf(target)).toEqual(before)
    expect(readdirSync(parent)).toEqual(['model'])
  })

  it('does not replace a folder that is no checkpoint', async () => {
    const source = checkpointFolder('qwen3')
    const precious = temporaryFolder()
    writeFileSync(join(precious, 'notes.txt'), 'mine')
    const { tensors } = await readCheckpoint(source)
    const write = writeCheckpoint(precious, { texts: folderTexts(source), tensors: tensors(), dtype: 'float32' })
    await expect(write).rejects.toThrow('holds files but no checkpoint')
    expect(readdirSync(precious)).toEqual(['notes.txt'])
  })

  it('copies what links of the hub’s cache lead to, and nothing from outside of the model', async () => {
    const cache = join(temporaryFolder(), 'models--one--tiny')
    const blobs = join(cache, 'blobs')
    const snapshot = join(cache, 'snapshots', 'abc')
    mkdirSync(snapshot, { recursive: true })
    mkdirSync(blobs)
    for (const name of readdirSync(checkpointFolder('qwen3'))) {
      cpSync(join(checkpointFolder('qwen3'), name), join(blobs, name))
      symlinkSync(`../../blobs/${name}`, join(snapshot, name))
    }
    const secret = join(temporaryFolder(), 'secret')
    writeFileSync(secret, 'mine')
    symlinkSync(secret, join(snapshot, 'notes.txt'))
    symlinkSync('nowhere', join(snapshot, 'broken.json'))
    symlinkSync(blobs, join(snapshot, 'folder.json'))
    symlinkSync('tokenizer.json', join(snapshot, 'same.json'))
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const target = join(folder, 'from-cache')
    const { tensors } = await readCheckpoint(snapshot)
    await writeCheckpoint(target, { texts: folderTexts(snapshot), tensors: tensors(), dtype: 'float32' })
    const names = readdirSync(target)
    expect(names).toEqual(
      expect.arrayContaining(['config.json', 'tokenizer.json', 'tokenizer_config.json', 'same.json']),
    )
    for (const name of ['notes.txt', 'broken.json', 'folder.json']) expect(names).not.toContain(name)
    expect(warn.mock.calls.flat().join()).toMatch(/notes\.txt is a link to .*secret, outside of the model's folder/)
    warn.mockRestore()
  })

  it('keeps what else lies in the folder that it replaces, but no weights and texts of the old model', async () => {
    const target = join(folder, 'with-notes')
    const source = checkpointFolder('qwen3')
    const { tensors } = await readCheckpoint(source)
    const contents = { texts: folderTexts(source), tensors: tensors(), dtype: 'float32' as const }
    await writeCheckpoint(target, { ...contents, maxShardBytes: 20_000 })
    writeFileSync(join(target, 'README.md'), 'mine')
    writeFileSync(join(target, 'merges.txt'), 'old')
    await writeCheckpoint(target, { ...contents, tensors: tensors(), overwrite: true })
    expect(readFileSync(join(target, 'README.md'), 'utf8')).toBe('mine')
    const names = readdirSync(target)
    expect(names.filter((name) => /safetensors|merges/.test(name))).toEqual(['model.safetensors'])
  })

  it('says which weights do not fit the config', async () => {
    const broken = join(folder, 'broken')
    cpSync(checkpointFolder('qwen2'), broken, { recursive: true })
    const path = join(broken, 'config.json')
    const config = JSON.parse(readFileSync(path, 'utf8')) as Record<string, unknown>
    writeFileSync(path, JSON.stringify({ ...config, vocab_size: 300, tie_word_embeddings: false }))
    await expect(readCheckpoint(broken)).rejects.toThrow(
      "'model.embed_tokens.weight' should be [300, 32], is [320, 32], 'lm_head.weight' is missing",
    )
    rmSync(join(broken, 'model.safetensors'))
    await expect(readCheckpoint(broken)).rejects.toThrow(/cannot open .*model.safetensors/)
  })
})

function namesIn(path: string): string[] {
  const bytes = readFileSync(path)
  const header = bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE()))
  return Object.keys(JSON.parse(header.toString()) as object).filter((name) => name !== '__metadata__')
}

async function* changed(
  tensors: AsyncIterable<NamedTensor>,
  change: (tensor: NamedTensor) => NamedTensor | undefined,
): AsyncGenerator<NamedTensor> {
  for await (const tensor of tensors) {
    const other = change(tensor)
    if (other) yield other
  }
}
