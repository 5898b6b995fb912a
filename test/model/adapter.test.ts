// Adapters that do not fit, are damaged, or ask for what is not done: clear errors, before the model takes any memory.
import { cpSync, existsSync, readFileSync, readdirSync, rmSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { adapterScale, linearTargets, newAdapter } from '../../src/model/adapter.js'
import type { AdapterOptions, AdapterSource } from '../../src/model/adapter.js'
import { parseAdapterConfig } from '../../src/model/adapter-config.js'
import { readAdapter, writeAdapter } from '../../src/model/adapter-folder.js'
import { readModelConfig } from '../../src/model/config.js'
import { openSafetensors } from '../../src/model/safetensors.js'
import { createSafetensors } from '../../src/model/safetensors-writer.js'
import * as weightsModule from '../../src/model/weights.js'
import { disposeWeights, uploadCheckpoint } from '../../src/model/weights.js'
import { checkpointFolder, temporaryFolder } from './fixtures.js'

const ofPeft = (name: string): string => join(import.meta.dirname, '../parity/fixtures/lora', name)
const config = await readModelConfig(checkpointFolder('llama3'))
const folder = temporaryFolder()
let copies = 0

afterEach(() => vi.restoreAllMocks())

/** A copy of PEFT's adapter of llama3 with other settings, for a field that is undefined without it. */
function changed(fields: Record<string, unknown>): string {
  const copy = join(folder, `copy-${copies++}`)
  cpSync(ofPeft('llama3'), copy, { recursive: true })
  const path = join(copy, 'adapter_config.json')
  writeFileSync(path, JSON.stringify({ ...(JSON.parse(readFileSync(path, 'utf8')) as object), ...fields }))
  return copy
}

/** The same with other tensors. */
async function retensored(change: (name: string, shape: readonly number[]) => [string, number[]] | undefined) {
  const copy = changed({})
  const path = join(copy, 'adapter_model.safetensors')
  const source = await openSafetensors(path)
  const shapes = [...source.shapes].flatMap(([name, shape]) => {
    const entry = change(name, shape)
    return entry ? [entry] : []
  })
  await source.close()
  const writer = await createSafetensors(path, Object.fromEntries(shapes), 'float32')
  for (const [name, shape] of shapes) await writer.write(name, new Float32Array(shape.reduce((a, b) => a * b, 1)))
  await writer.finish()
  return copy
}

const same = (name: string, shape: readonly number[]): [string, number[]] => [name, [...shape]]

async function values(source: AdapterSource): Promise<Record<string, Float32Array>> {
  const all: Record<string, Float32Array> = {}
  for await (const { key, data } of source.tensors()) all[key] = data
  return all
}

describe('a new adapter', () => {
  it('is PEFT’s: A uniform within ± 1/√in, B zero, the same for a seed', async () => {
    const first = await values(newAdapter(config, { rank: 8, seed: 1 }))
    expect(await values(newAdapter(config, { rank: 8, seed: 1 }))).toEqual(first)
    expect(await values(newAdapter(config, { rank: 8, seed: 2 }))).not.toEqual(first)
    expect(Object.keys(first)).toHaveLength(config.layers * 7 * 2)
    for (const [key, data] of Object.entries(first)) {
      if (key.endsWith('loraB')) expect(data.every((value) => value === 0)).toBe(true)
      else {
        const bound = 1 / Math.sqrt(data.length / 8)
        const largest = Math.max(...data.map(Math.abs))
        expect(largest).toBeLessThanOrEqual(bound)
        expect(largest).toBeGreaterThan(bound * 0.9)
        expect(Math.abs(data.reduce((a, b) => a + b, 0) / data.length)).toBeLessThan(bound / 5)
      }
    }
    const [q, k] = [first['layers.0.q.loraA']!, first['layers.0.k.loraA']!]
    expect(q).not.toEqual(k)
  })

  it('has defaults, and counts as alpha / rank', () => {
    const { settings } = newAdapter(config, {})
    expect(settings).toEqual({
      rank: 16,
      alpha: 32,
      targets: linearTargets(config),
      dropout: 0,
      rsLora: false,
      seed: 0,
    })
    expect(adapterScale(settings)).toBe(2)
    expect(adapterScale({ ...settings, rsLora: true })).toBe(8)
    expect(newAdapter(config, { targets: ['v_proj', 'q_proj', 'v_proj'] }).settings.targets).toEqual([
      'q_proj',
      'v_proj',
    ])
  })

  it.each<[AdapterOptions, string]>([
    [{ rank: 0 }, 'load model: adapter: rank must be at least 1, got 0'],
    [{ rank: 2.5 }, 'load model: adapter: rank must be an integer, got 2.5'],
    [{ rank: 64 }, 'load model: adapter: rank must be at most 32, the hidden size of the model, got 64'],
    [{ alpha: NaN }, 'load model: adapter: alpha must be a finite number, got NaN'],
    [{ alpha: Infinity }, 'load model: adapter: alpha must be a finite number, got Infinity'],
    [{ alpha: 0 }, 'load model: adapter: alpha must be more than 0, got 0'],
    [{ dropout: 1 }, 'load model: adapter: dropout must be less than 1, got 1'],
    [{ targets: [] }, 'load model: adapter: targets'],
    [{ targets: 'all' as 'all-linear' }, "targets must be 'all-linear' or a list of names, got 'all'"],
    [
      { targets: ['q_prj'] },
      "have no 'q_prj'; did you mean q_proj? They have q_proj, k_proj, v_proj, o_proj, gate_proj",
    ],
    [{ targets: ['lm_head'] }, "the model's layers have no 'lm_head'"],
    [{ r: 8 } as AdapterOptions, 'there is no option r'],
  ])('refuses %o', async (options, message) => {
    const upload = vi.spyOn(weightsModule, 'uploadCheckpoint')
    await expect(loadModel(checkpointFolder('llama3'), { adapter: options })).rejects.toThrow(message)
    expect(upload).not.toHaveBeenCalled()
  })
})

describe('a saved adapter', () => {
  it.each<[string, Record<string, unknown>, string]>([
    ['no LoRA', { peft_type: 'IA3' }, 'peft_type'],
    ['rank 0', { r: 0 }, '→ at r'],
    ['rank as a text', { r: '4' }, '→ at r'],
    ['another task', { task_type: 'SEQ_CLS' }, 'task_type'],
    ['DoRA', { use_dora: true }, 'use_dora true is not supported'],
    ['whole modules', { modules_to_save: ['lm_head'] }, 'modules_to_save ["lm_head"] is not supported'],
    ['trained biases', { bias: 'all' }, 'bias "all" is not supported'],
    ['other alphas', { alpha_pattern: { q_proj: 4 } }, 'alpha_pattern {"q_proj":4} is not supported'],
    ['other ranks', { rank_pattern: { q_proj: 4 } }, 'rank_pattern {"q_proj":4} is not supported'],
    ['some layers', { layers_to_transform: [0] }, 'layers_to_transform [0] is not supported'],
    ['a pattern of layers', { layers_pattern: 'h' }, 'layers_pattern "h" is not supported'],
    ['repeated layers', { layer_replication: [[0, 1]] }, 'layer_replication [[0,1]] is not supported'],
    ['biases of its own', { lora_bias: true }, 'lora_bias true is not supported'],
    ['trained tokens', { trainable_token_indices: [3] }, 'trainable_token_indices [3] is not supported'],
    ['what is not known yet', { use_marvel: 1 }, 'use_marvel 1 is not supported'],
    ['a changed base', { init_lora_weights: 'pissa' }, 'changes the base model, which is not supported'],
    ['a pattern of targets', { target_modules: '.*_proj' }, "must be 'all-linear' or a list of names"],
    ['an unknown target', { target_modules: ['q_proj', 'query'] }, "have no 'query'"],
    ['one layer’s target', { target_modules: ['model.layers.0.self_attn.q_proj'] }, 'q_proj of some layers only'],
  ])('is refused: %s', async (_, fields, message) => {
    const copy = changed(fields)
    await expect(readAdapter(copy, config)).rejects.toThrow(message)
    await expect(readAdapter(copy, config)).rejects.toThrow(join(copy, 'adapter_config.json'))
  })

  it('takes targets by their last parts, and alpha by the root of the rank', () => {
    const json = { peft_type: 'LORA', r: 4, lora_alpha: 8 }
    const targets = (names: unknown): readonly string[] =>
      parseAdapterConfig(config, { ...json, target_modules: names }, 'here').settings.targets
    expect(targets(['self_attn.q_proj', 'up_proj'])).toEqual(['q_proj', 'up_proj'])
    expect(targets('all-linear')).toEqual(linearTargets(config))
    const { settings } = parseAdapterConfig(config, { ...json, target_modules: ['q_proj'], use_rslora: true }, 'here')
    expect(adapterScale(settings)).toBe(4)
  })

  it.each<[string, () => Promise<string> | string, RegExp]>([
    [
      'of a model of other sizes',
      () => ofPeft('qwen3'),
      /'base_model\.model\.model\.layers\.0\.self_attn\.q_proj\.lora_\w\.weight' should be \[.*made for 'checkpoints\/qwen3'/,
    ],
    [
      'without a tensor',
      () => retensored((name, shape) => (name.includes('1.mlp.up_proj.lora_A') ? undefined : same(name, shape))),
      /up_proj\.lora_A\.weight' is missing; it was made for/,
    ],
    [
      'with one too many',
      () => retensored((name, shape) => same(name.replace('1.mlp.up_proj', '2.mlp.up_proj'), shape)),
      /layers\.2\.mlp\.up_proj\.lora_\w\.weight' has no place/,
    ],
    [
      'with another shape',
      () => retensored((name, [a, b]) => [name, name.includes('lora_B') ? [a! + 1, b!] : [a!, b!]]),
      /should be \[\d+, 4\], is \[\d+, 4\].*, and 11 more/,
    ],
    [
      'cut off',
      () => {
        const copy = changed({})
        truncateSync(join(copy, 'adapter_model.safetensors'), 9000)
        return copy
      },
      /adapter_model\.safetensors: .*the file is truncated/,
    ],
    [
      'empty',
      () => {
        const copy = changed({})
        truncateSync(join(copy, 'adapter_model.safetensors'), 0)
        return copy
      },
      /the file is truncated: 0 bytes/,
    ],
    [
      'without values',
      () => {
        const copy = changed({})
        rmSync(join(copy, 'adapter_model.safetensors'))
        return copy
      },
      /there is no .*adapter_model\.safetensors/,
    ],
    [
      'pickled',
      () => {
        const copy = changed({})
        cpSync(join(copy, 'adapter_model.safetensors'), join(copy, 'adapter_model.bin'))
        rmSync(join(copy, 'adapter_model.safetensors'))
        return copy
      },
      /adapter_model\.bin, which can run code; save it as safetensors/,
    ],
    [
      'of broken JSON',
      () => {
        const copy = changed({})
        writeFileSync(join(copy, 'adapter_config.json'), '{"r": 4')
        return copy
      },
      /adapter_config\.json is not JSON/,
    ],
    ['that is not there', () => join(folder, 'nowhere'), /cannot read .*adapter_config\.json; an adapter folder needs/],
    ['that is a whole model', () => checkpointFolder('llama3'), /cannot read .*adapter_config\.json/],
  ])('is refused %s, before the model is read', async (_, make, message) => {
    const upload = vi.spyOn(weightsModule, 'uploadCheckpoint')
    const adapter = await make()
    await expect(loadModel(checkpointFolder('llama3'), { adapter })).rejects.toThrow(message)
    expect(upload).not.toHaveBeenCalled()
  })

  it('whose values cannot be read leaves nothing on the device', async () => {
    const { uploadCheckpoint: upload } = weightsModule
    const dispose = vi.spyOn(weightsModule, 'disposeWeights')
    let below: weightsModule.Weights = {}
    vi.spyOn(weightsModule, 'uploadCheckpoint')
      .mockImplementationOnce(async (checkpoint) => (below = await upload(checkpoint)))
      .mockRejectedValueOnce(new Error('the disk is gone'))
    const load = loadModel(checkpointFolder('llama3'), { adapter: ofPeft('llama3') })
    await expect(load).rejects.toThrow('the disk is gone')
    expect(dispose).toHaveBeenCalledWith(below)
    expect(() => below['embed']!.id).toThrow('used after dispose')
  })

  it('over a base of another name is used, with a warning', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const other = changed({ base_model_name_or_path: 'somebody/other-model' })
    const upload = vi.spyOn(weightsModule, 'uploadCheckpoint')
    const policy = await loadModel(checkpointFolder('llama3'), { adapter: other })
    expect(warn.mock.calls.join()).toContain("says that it is of 'somebody/other-model', and is now used with")
    expect(upload).toHaveBeenCalledTimes(2)
    policy.dispose()
    warn.mockClear()
    const right = await loadModel(checkpointFolder('llama3'), { adapter: ofPeft('llama3') })
    expect(warn).not.toHaveBeenCalled()
    right.dispose()
  })

  it('by its folder alone stands for its base with it, and for no other adapter', async () => {
    const alone = changed({ base_model_name_or_path: checkpointFolder('llama3') })
    const policy = await loadModel(alone)
    expect(policy.adapter).toMatchObject({ rank: 4, alpha: 8 })
    policy.dispose()
    await expect(loadModel(alone, { adapter: {} })).rejects.toThrow('is an adapter already; name its base model')
    await expect(loadModel(changed({ base_model_name_or_path: null }))).rejects.toThrow(
      'does not say what model it is of',
    )
  })
})

describe('saving', () => {
  it('comes back as it was, in bfloat16 rounded; replaces an adapter only where that is said, and nothing else', async () => {
    const source = await readAdapter(ofPeft('llama3'), config)
    const weights = await uploadCheckpoint(source)
    const target = join(folder, 'saved')
    const write = (more: object): Promise<void> =>
      writeAdapter(
        target,
        config,
        { ...source.settings, weights },
        { base: 'x', dtype: 'float32', overwrite: false, ...more },
      )
    await write({})
    const again = await readAdapter(target, config)
    expect(again.settings).toEqual(source.settings)
    expect(await values(again)).toEqual(await values(source))
    await expect(write({})).rejects.toThrow('holds a LoRA adapter already; `overwrite: true` replaces it')
    const [files, before] = [readdirSync(target), await values(source)]
    await write({ dtype: 'bfloat16', overwrite: true })
    expect(readdirSync(target)).toEqual(files)
    for (const [key, data] of Object.entries(await values(await readAdapter(target, config))))
      data.forEach((value, i) => expect(Math.abs(value - before[key]![i]!)).toBeLessThan(0.01))
    disposeWeights(weights)
  })

  it('does not put an adapter into the folder of a whole model', async () => {
    const policy: LocalModel = await loadModel(checkpointFolder('llama3'), { adapter: {} })
    const whole = join(folder, 'whole')
    await policy.save(whole, { merged: true })
    await expect(policy.save(whole, { overwrite: true })).rejects.toThrow('holds files but no LoRA adapter')
    expect(existsSync(join(whole, 'model.safetensors'))).toBe(true)
    policy.dispose()
  })
})
