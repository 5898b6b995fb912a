import { z } from 'zod'
import type { GgufHeader } from './header.js'

const number = z.union([z.number(), z.bigint()]).transform(Number)
const id = number.pipe(z.int().nonnegative())

const fields = z.object({
  'tokenizer.ggml.model': z.string(),
  'tokenizer.ggml.pre': z.string().default('default'),
  'tokenizer.ggml.tokens': z.array(z.string()),
  'tokenizer.ggml.token_type': z.array(z.number()).optional(),
  'tokenizer.ggml.merges': z.array(z.string()).optional(),
  'tokenizer.ggml.bos_token_id': id.optional(),
  'tokenizer.ggml.eos_token_id': id.optional(),
  'tokenizer.ggml.eot_token_id': id.optional(),
  'tokenizer.ggml.unknown_token_id': id.optional(),
  'tokenizer.ggml.padding_token_id': id.optional(),
  'tokenizer.ggml.add_bos_token': z.boolean().default(false),
  'tokenizer.chat_template': z.string().optional(),
})

// Kinds of tokens in GGUF.
const CONTROL = 3
const USER_DEFINED = 4
const UNUSED = 5

const GPT2_SPLIT = { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true }

const byRegex = (regex: string): object => ({
  type: 'Sequence',
  pretokenizers: [
    { type: 'Split', pattern: { Regex: regex }, behavior: 'Isolated', invert: false },
    { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: false },
  ],
})

const LETTERS = String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+`
const OTHERS = String.raw` ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`

/** `Digits` of tokenizer.json, which the two libraries take differently: ² is one in Python alone. */
const SINGLE_DIGITS = { type: 'Split', pattern: { Regex: String.raw`\p{N}` }, behavior: 'Isolated', invert: false }

interface Splitting {
  pre_tokenizer: object
  normalizer?: object
  /** Words of the vocabulary are taken whole, whatever the merges say. */
  ignore_merges?: boolean
}

const LLAMA3: Splitting = { pre_tokenizer: byRegex(`${LETTERS}|\\p{N}{1,3}|${OTHERS}`), ignore_merges: true }
const QWEN2: Splitting = { pre_tokenizer: byRegex(`${LETTERS}|\\p{N}|${OTHERS}`), normalizer: { type: 'NFC' } }
const GPT2: Splitting = { pre_tokenizer: GPT2_SPLIT }

/**
 * How text is split before merging, by `tokenizer.ggml.pre`: as the original tokenizer.json of these models has it. For
 * `smollm` llama.cpp agrees (`LLAMA_VOCAB_PRE_TYPE_SMOLLM` in llama-vocab.cpp: each digit alone, then GPT-2's pattern);
 * what transformers makes of such a file (`gguf_file=`) does not split digits, and so differs in texts that hold numbers.
 * Qwen2 composes characters first (NFC), as its models were trained: so does `Qwen2Tokenizer` of transformers, though not
 * what `gguf_file=` makes.
 */
const SPLITTINGS: Readonly<Record<string, Splitting>> = {
  default: GPT2,
  'gpt-2': GPT2,
  smollm: {
    pre_tokenizer: { type: 'Sequence', pretokenizers: [SINGLE_DIGITS, GPT2_SPLIT] },
  },
  'llama-bpe': LLAMA3,
  llama3: LLAMA3,
  'llama-v3': LLAMA3,
  qwen2: QWEN2,
  'deepseek-r1-qwen': QWEN2,
}

/**
 * The tokenizer of a GGUF as files of a model folder: tokenizer.json, tokenizer_config.json with the chat template, and
 * generation_config.json.
 * @throws where it is of a kind that is not supported, or an id is not in its vocabulary
 */
export function textsOfGguf({ metadata }: GgufHeader): Record<string, object> {
  const found = fields.parse(metadata)
  const tokens = found['tokenizer.ggml.tokens']
  const token = (role: 'bos' | 'eos' | 'eot' | 'unknown' | 'padding'): string | null => {
    const at = found[`tokenizer.ggml.${role}_token_id`]
    if (at !== undefined && at >= tokens.length)
      throw new Error(`tokenizer.ggml.${role}_token_id must be below ${tokens.length}, the number of tokens, got ${at}`)
    return at === undefined ? null : tokens[at]!
  }
  const roles = {
    bos: token('bos'),
    eos: token('eos'),
    eot: token('eot'),
    unk: token('unknown'),
    pad: token('padding'),
  }
  const bos = found['tokenizer.ggml.bos_token_id']
  const eos = [found['tokenizer.ggml.eos_token_id'], found['tokenizer.ggml.eot_token_id']].filter(
    (at) => at !== undefined,
  )
  const template = found['tokenizer.chat_template']
  return {
    'tokenizer.json': tokenizerJson(found, roles.bos),
    'tokenizer_config.json': {
      tokenizer_class: 'PreTrainedTokenizerFast',
      bos_token: roles.bos,
      eos_token: roles.eos,
      unk_token: roles.unk,
      pad_token: roles.pad,
      clean_up_tokenization_spaces: false,
      ...(template !== undefined && { chat_template: template }),
    },
    'generation_config.json': {
      ...(bos !== undefined && { bos_token_id: bos }),
      ...(eos.length > 0 && { eos_token_id: [...new Set(eos)] }),
      ...(roles.pad !== null && { pad_token_id: found['tokenizer.ggml.padding_token_id'] }),
    },
  }
}

function tokenizerJson(found: z.infer<typeof fields>, bos: string | null): object {
  const tokens = found['tokenizer.ggml.tokens']
  const types = found['tokenizer.ggml.token_type'] ?? []
  const isAdded = (type: number | undefined): boolean => type === CONTROL || type === USER_DEFINED
  const { pre_tokenizer, normalizer = null, model } = bytePairs(found)
  const unused = (at: number): boolean => types[at] === UNUSED
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: tokens.flatMap((content, at) =>
      isAdded(types[at])
        ? [
            {
              id: at,
              content,
              single_word: false,
              lstrip: false,
              rstrip: false,
              normalized: false,
              special: types[at] === CONTROL,
            },
          ]
        : [],
    ),
    normalizer,
    pre_tokenizer,
    post_processor: postProcessor(found, bos),
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    // Rows that fill the embedding up to a round number are no tokens.
    model: { ...model, vocab: Object.fromEntries(tokens.flatMap((text, at) => (unused(at) ? [] : [[text, at]]))) },
  }
}

function bytePairs(found: z.infer<typeof fields>): Splitting & { model: object } {
  const kind = found['tokenizer.ggml.model']
  if (kind !== 'gpt2') throw new Error(`tokenizer.ggml.model '${kind}' is not supported; gpt2 is`)
  const pre = found['tokenizer.ggml.pre']
  if (!Object.hasOwn(SPLITTINGS, pre)) {
    throw new Error(`tokenizer.ggml.pre '${pre}' is not supported; supported are ${Object.keys(SPLITTINGS).join(', ')}`)
  }
  const merges = found['tokenizer.ggml.merges']
  if (!merges) throw new Error('tokenizer.ggml.merges is missing, which a tokenizer gpt2 needs')
  const { ignore_merges = false, ...splitting } = SPLITTINGS[pre]!
  return {
    ...splitting,
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      continuing_subword_prefix: null,
      end_of_word_suffix: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges,
      merges,
    },
  }
}

/** Puts the token that begins a text before it, where the model was made so. */
function postProcessor(found: z.infer<typeof fields>, bos: string | null): object {
  const plain = { type: 'ByteLevel', add_prefix_space: true, trim_offsets: false, use_regex: true }
  if (bos === null || !found['tokenizer.ggml.add_bos_token']) return plain
  const special = { SpecialToken: { id: bos, type_id: 0 } }
  const text = (name: 'A' | 'B'): object => ({ Sequence: { id: name, type_id: 0 } })
  return {
    type: 'Sequence',
    processors: [
      plain,
      {
        type: 'TemplateProcessing',
        single: [special, text('A')],
        pair: [special, text('A'), special, text('B')],
        special_tokens: { [bos]: { id: bos, ids: [found['tokenizer.ggml.bos_token_id']], tokens: [bos] } },
      },
    ],
  }
}
