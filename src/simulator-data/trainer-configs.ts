// Configurations with which other trainers learn from the data: to be run in its folder.

/** Names of the files of examples, in the folder of the data. */
export const PARTS = { train: 'train', heldOut: 'validation' } as const

// As the paper's authors trained theirs: LLaMA-Factory, learning rate 1e-6, batches of 2, 1000 steps
// (https://github.com/Alibaba-NLP/ZeroSearch/issues/25).
const AUTHORS = `per_device_train_batch_size: 2
learning_rate: 1.0e-6
max_steps: 1000`

/** `dataset_info.json` and `llama-factory.yaml`. */
export function llamaFactoryFiles(isChat: boolean, hasHeldOut: boolean): Record<string, string> {
  const form = isChat
    ? {
        formatting: 'sharegpt',
        columns: { messages: 'messages' },
        tags: {
          role_tag: 'role',
          content_tag: 'content',
          user_tag: 'user',
          assistant_tag: 'assistant',
          system_tag: 'system',
        },
      }
    : { columns: { prompt: 'prompt', response: 'completion' } }
  const parts = hasHeldOut ? [PARTS.train, PARTS.heldOut] : [PARTS.train]
  const info = Object.fromEntries(parts.map((part) => [nameOf(part), { file_name: `${part}.jsonl`, ...form }]))
  const evaluation = hasHeldOut ? `eval_dataset: ${nameOf(PARTS.heldOut)}\neval_strategy: epoch\n` : ''
  return {
    'dataset_info.json': `${JSON.stringify(info, null, 2)}\n`,
    'llama-factory.yaml': `# llamafactory-cli train llama-factory.yaml
# The paper's optimizer settings; model and template are yours to choose.
model_name_or_path: Qwen/Qwen2.5-3B-Instruct
template: ${isChat ? 'qwen' : 'empty'}
stage: sft
do_train: true
finetuning_type: full
dataset_dir: .
dataset: ${nameOf(PARTS.train)}
${evaluation}mask_history: true # of a prompt with examples in it, the last answer alone is learned
cutoff_len: 2048
${AUTHORS}
lr_scheduler_type: cosine
bf16: true
output_dir: simulator-llama-factory
`,
  }
}

const nameOf = (part: string): string => `simulator_${part}`

/** `trl.yaml`. */
export function trlFiles(hasHeldOut: boolean): Record<string, string> {
  const evaluation = hasHeldOut ? `dataset_test_split: ${PARTS.heldOut}\neval_strategy: epoch\n` : ''
  return {
    'trl.yaml': `# trl sft --config trl.yaml
# The paper's optimizer settings; the model is yours to choose. The loss is of the completion alone.
model_name_or_path: Qwen/Qwen2.5-3B-Instruct
dataset_name: ./parquet
dataset_train_split: ${PARTS.train}
${evaluation}completion_only_loss: true
max_length: 2048
${AUTHORS}
bf16: true
output_dir: simulator-trl
`,
  }
}
