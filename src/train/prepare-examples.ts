import { setImmediate as nextTurn } from 'node:timers/promises'
import { placed, reportFaults, streamExamples } from '../dataset/read-examples.js'
import type { PlacedExample } from '../dataset/read-examples.js'
import { errorMessage } from '../file/write-error.js'
import { withProgress } from '../host/progress.js'
import type { ExampleMessage, TextExample, Tools } from '../schema/text-example.js'
import { encodeChat } from '../tokenizer/encode-chat.js'
import { encodePlain } from '../tokenizer/plain-text.js'
import type { Tokenizer } from '../tokenizer/tokenizer.js'
import { totalWeight } from './supervised-learner.js'
import type { Example } from './supervised-learner.js'

/** Ids to imitate, as they are: a trajectory, for one. */
export interface TokenExample {
  /** The whole sequence. */
  ids: readonly number[]
  /** How much each token counts in the loss, one per id: 1 on the policy's tokens of a trajectory, 0 on others. */
  lossMask: readonly number[]
}

/** What `finetune` takes: records, or the path of a file of them, or of several. */
export type Examples = readonly (TextExample | TokenExample)[] | string | readonly string[]

/** How examples become ids. */
export interface ExampleSettings {
  /**
   * Which turns of the assistant are imitated; the others are context. `last` is the last of each example. Default `all`.
   */
  assistantTurns: 'all' | 'last'
  /**
   * True takes special tokens in prompts and completions that are strings for what they are: for texts that are rendered already.
   * Default false: they are plain text. In messages they always are.
   */
  parseSpecialTokens: boolean
  /** Most ids of an example. Default: the positions that the model was made for. */
  maxLength: number
  /** Examples that do not fit are an error that names and counts them, or are left out with a warning. Default `throw`. */
  faults: 'throw' | 'skip'
}

/** Encodings between two looks at the rest of the process. */
const SLICE = 32

/**
 * The ids of examples, and how much each token counts.
 * @param option Its name, for messages: `examples`.
 * @throws where none fits, or one does not and `faults` is `throw`; where the signal aborts
 */
export async function prepareExamples(
  option: string,
  examples: Examples,
  tokenizer: Tokenizer,
  settings: ExampleSettings,
  signal?: AbortSignal,
): Promise<Example[]> {
  const encoded: Example[] = []
  const bad: string[] = []
  let records = 0
  await withProgress({ title: `encode ${option}`, unit: 'examples' }, async (report) => {
    for await (const { place, example, fault } of placedExamples(option, examples)) {
      if (records++ % SLICE === 0) {
        report(records)
        await nextTurn()
        signal?.throwIfAborted()
      }
      try {
        if (!example) throw new Error(fault)
        encoded.push(encodeExample(tokenizer, example, settings))
      } catch (error) {
        bad.push(`${place}: ${errorMessage(error)}`)
      }
    }
  })
  reportFaults(`finetune: ${option}`, bad, records, settings.faults)
  return encoded
}

type Placed = Omit<PlacedExample, 'example'> & { example?: TextExample | TokenExample }

async function* placedExamples(option: string, examples: Examples): AsyncGenerator<Placed> {
  if (typeof examples === 'string') {
    yield* streamExamples(examples)
    return
  }
  for (const [i, each] of examples.entries()) {
    const place = `${option}.${i}`
    if (typeof each === 'string') {
      for await (const found of streamExamples(each)) yield { ...found, place: `${each}, ${found.place}` }
    } else if (isTokenExample(each)) yield { place, example: each }
    else yield placed(place, each)
  }
}

const isTokenExample = (example: TextExample | TokenExample): example is TokenExample =>
  typeof example === 'object' && example !== null && 'ids' in example

function encodeExample(tokenizer: Tokenizer, example: TextExample | TokenExample, settings: ExampleSettings): Example {
  const { ids, lossMask } = isTokenExample(example)
    ? checked(tokenizer, example)
    : encodeText(tokenizer, example, settings)
  if (ids.length > settings.maxLength)
    throw new Error(`it has ${ids.length} ids, more than the ${settings.maxLength} that the model or maxLength allows`)
  const encoded = { ids, tokenWeights: lossMask }
  if (!(totalWeight([encoded]) > 0)) throw new Error('it has no token to learn from')
  return encoded
}

function encodeText(tokenizer: Tokenizer, example: TextExample, settings: ExampleSettings): TokenExample {
  const { assistantTurns, parseSpecialTokens } = settings
  const { tools } = example
  if ('messages' in example) return encodeMessages(tokenizer, [], example.messages, assistantTurns, tools)
  const { prompt, completion } = example
  if (typeof prompt !== 'string' && typeof completion !== 'string')
    return encodeMessages(tokenizer, prompt, completion, assistantTurns, tools)
  const encode = (text: string): number[] =>
    parseSpecialTokens ? tokenizer.encode(text) : encodePlain(tokenizer, text)
  const before = encode(prompt as string)
  const after = encode(completion as string)
  const eos = tokenizer.eosIds[0]
  if (eos !== undefined && !tokenizer.eosIds.includes(after.at(-1)!)) after.push(eos)
  return { ids: [...before, ...after], lossMask: [...before.map(() => 0), ...after.map(() => 1)] }
}

function encodeMessages(
  tokenizer: Tokenizer,
  prompt: readonly ExampleMessage[],
  said: readonly ExampleMessage[],
  which: 'all' | 'last',
  tools: Tools | undefined,
): TokenExample {
  const messages = [...prompt, ...said]
  const turns = messages.flatMap(({ role }, i) => (role === 'assistant' && i >= prompt.length ? [i] : []))
  return encodeChat(tokenizer, messages, which === 'last' ? turns.slice(-1) : turns, tools)
}

function checked(tokenizer: Tokenizer, { ids, lossMask }: TokenExample): TokenExample {
  const isList = (value: unknown): value is unknown[] => Array.isArray(value)
  if (!isList(ids) || !isList(lossMask) || ids.length !== lossMask.length || ids.length === 0)
    throw new Error('ids and lossMask must be lists of the same length')
  const { vocabSize } = tokenizer
  const wrong = ids.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize))
  if (wrong !== undefined) throw new Error(`ids must be integers in [0, ${vocabSize}), got ${String(wrong)}`)
  const weight = lossMask.find((value) => !(Number.isFinite(value) && value >= 0))
  if (weight !== undefined) throw new Error(`lossMask must hold finite numbers of at least 0, got ${String(weight)}`)
  return { ids, lossMask }
}
