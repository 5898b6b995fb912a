import { z } from 'zod'
import type { AdapterSettings } from './adapter.js'
import { adapterScale, checkTargets, linearModules, linearTargets, targetOf } from './adapter.js'
import type { ModelConfig } from './config.js'

/** What we read of PEFT's adapter_config.json. */
const fields = z.looseObject({
  peft_type: z.literal('LORA'),
  task_type: z.literal('CAUSAL_LM').nullish(),
  base_model_name_or_path: z.string().nullish(),
  r: z.int().min(1),
  lora_alpha: z.number().positive(),
  lora_dropout: z.number().min(0).lt(1).default(0),
  target_modules: z.union([z.literal('all-linear'), z.array(z.string()).min(1)], {
    error: "must be 'all-linear' or a list of names; patterns are not supported",
  }),
  use_rslora: z.boolean().default(false),
  // Other ways to begin change the base model too.
  init_lora_weights: z
    .union([z.boolean(), z.enum(['gaussian', 'eva', 'orthogonal'])], 'changes the base model, which is not supported')
    .nullish(),
})

/** Fields that say nothing of what the adapter computes. */
const TOLD = new Set([
  ...['auto_mapping', 'base_model_name_or_path', 'revision', 'inference_mode', 'peft_version', 'runtime_config'],
  ...['eva_config', 'megatron_config', 'megatron_core', 'qalora_group_size', 'ensure_weight_tying'],
])

/**
 * The settings in an adapter_config.json.
 * @param where Shown in errors.
 * @throws {Error} where it is no LoRA, asks for what is not supported, or names layers that the model does not have
 */
export function parseAdapterConfig(
  config: ModelConfig,
  json: unknown,
  where: string,
): { settings: AdapterSettings; base: string | undefined } {
  const result = fields.safeParse(json)
  if (!result.success) throw new Error(`adapter: ${where}: ${z.prettifyError(result.error)}`)
  const file = result.data
  const unsupported = Object.keys(file).find(
    (name) => !(name in fields.shape) && !TOLD.has(name) && !isRest(file[name]),
  )
  if (unsupported !== undefined)
    throw new Error(`adapter: ${where}: ${unsupported} ${JSON.stringify(file[unsupported])} is not supported`)
  const settings: AdapterSettings = {
    rank: file.r,
    alpha: file.lora_alpha,
    targets: readTargets(config, file.target_modules, where),
    dropout: file.lora_dropout,
    rsLora: file.use_rslora,
    seed: 0,
  }
  if (!Number.isFinite(adapterScale(settings))) throw new Error(`adapter: ${where}: lora_alpha must be finite`)
  return { settings, base: file.base_model_name_or_path ?? undefined }
}

/** The value of a field that asks for nothing. */
const isRest = (value: unknown): boolean =>
  value === null ||
  value === false ||
  value === 'none' ||
  (typeof value === 'object' && Object.keys(value).length === 0)

/** PEFT takes names of modules from their last part on, as many parts as there are. */
function readTargets(config: ModelConfig, names: 'all-linear' | readonly string[], where: string): string[] {
  const known = linearTargets(config)
  if (names === 'all-linear') return known
  const modules = Object.values(linearModules(config))
  const named = (module: string): boolean => names.some((name) => module === name || module.endsWith(`.${name}`))
  const nowhere = names.filter((name) => !modules.some((module) => module === name || module.endsWith(`.${name}`)))
  const targets = known.filter((target) => modules.some((module) => targetOf(module) === target && named(module)))
  const partly = targets.find((target) => modules.some((module) => targetOf(module) === target && !named(module)))
  if (partly !== undefined) {
    throw new Error(`adapter: ${where}: target_modules names ${partly} of some layers only, which is not supported`)
  }
  return checkTargets(`adapter: ${where}`, known, [...targets, ...nowhere])
}

/** The adapter_config.json of an adapter. */
export function formatAdapterConfig(settings: AdapterSettings, base: string): string {
  const json = {
    base_model_name_or_path: base,
    bias: 'none',
    fan_in_fan_out: false,
    inference_mode: true,
    init_lora_weights: true,
    lora_alpha: settings.alpha,
    lora_dropout: settings.dropout,
    modules_to_save: null,
    peft_type: 'LORA',
    r: settings.rank,
    target_modules: settings.targets,
    task_type: 'CAUSAL_LM',
    use_dora: false,
    use_rslora: settings.rsLora,
  }
  return `${JSON.stringify(json, null, 2)}\n`
}
