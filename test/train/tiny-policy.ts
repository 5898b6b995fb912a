import { writeCheckpoint } from '../../src/model/checkpoint.js'
import { parseModelConfig } from '../../src/model/config.js'
import { downloadWeight, downloadWeights } from '../../src/model/weights.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { MACHINE_FIELDS } from '../../src/schema/update-record.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import type { Question } from '../../src/schema/question.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'
import { tinyWeights } from '../tiny-model.js'

export const TINY_CONFIG = {
  model_type: 'qwen2',
  vocab_size: 96,
  hidden_size: 32,
  num_hidden_layers: 2,
  num_attention_heads: 4,
  num_key_value_heads: 2,
  intermediate_size: 48,
  hidden_act: 'silu',
  rms_norm_eps: 1e-6,
  rope_theta: 10_000,
  max_position_embeddings: 1024,
  tie_word_embeddings: true,
  use_sliding_window: false,
}

/** Real weights that are really trained, and a script in place of what they would say. One turn is asked at a time. */
export async function tinyPolicy(say: (turn: number, heard: string) => string): Promise<LocalModel> {
  const config = parseModelConfig(TINY_CONFIG)
  const weights = await tinyWeights(config, 3)
  return {
    ...scriptedPolicy(say, { contextLength: 700 }),
    slots: 64,
    config,
    weights,
    save: (folder) =>
      writeCheckpoint(folder, {
        tensors: downloadWeights(weights),
        dtype: 'float32',
        files: { 'config.json': JSON.stringify(TINY_CONFIG) },
      }),
    dispose: () => Object.values(weights).forEach((variable) => variable.dispose()),
  }
}

/** Right and wrong by turns, begun anew for each policy; `onSay` is called before each message. */
export async function alternatingPolicy(onSay: () => void = () => undefined): Promise<LocalModel> {
  let message = 0
  return tinyPolicy(() => {
    onSay()
    return message++ % 2 ? '<answer> Rome</answer>' : '<answer> Lima</answer>'
  })
}

export const aQuestion = (i: number): Question => ({
  id: `x-${i}`,
  dataset: 'x',
  question: `What is ${i}?`,
  goldAnswers: ['Lima'],
})

/** Every weight of a policy, in one list. */
export async function allWeights({ weights }: LocalModel): Promise<Float32Array[]> {
  return Promise.all(Object.values(weights).map(downloadWeight))
}

/** Records without what a clock or the machine says, to be compared. */
export const untimed = (records: readonly UpdateRecord[]): object[] =>
  records.map((record) => ({ ...record, ...UNTIMED }))

const UNTIMED = Object.fromEntries(MACHINE_FIELDS.map((name) => [name, 0]))
