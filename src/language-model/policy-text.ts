import type { Conversation, Generation, Policy } from '../policy/policy.js'
import { abortable } from '../signal/abortable.js'
import type { Message } from '../tokenizer/tokenizer.js'
import { parseCompletion } from './completion-options.js'
import type { Completion, CompletionOptions, LanguageModel } from './language-model.js'
import { TextStream, wholeCharacters } from './text-stream.js'

/** A policy as a language model: text in, text out, by its tokenizer and its chat template. */
export function policyText(policy: Policy): LanguageModel {
  const { name, contextLength, tokenizer } = policy
  return {
    name,
    contextLength,
    specialTokens: tokenizer.specialTokens,
    truncate(text, maxTokens) {
      const ids = tokenizer.encode(text)
      return ids.length <= maxTokens ? text : wholeCharacters(tokenizer.decode(ids.slice(0, maxTokens)))
    },
    complete: (prompt, options) => complete(policy, prompt, options),
  }
}

async function complete(
  policy: Policy,
  asked: string | readonly Message[],
  options?: CompletionOptions,
): Promise<Completion> {
  const { prompt, maxTokens, stop, seed, onText, signal, ...sampling } = parseCompletion(asked, options)
  const { tokenizer, contextLength, name } = policy
  const ids = tokenizer.encode(typeof prompt === 'string' ? prompt : tokenizer.renderPrompt(prompt))
  if (ids.length >= contextLength) {
    throw new Error(
      `complete: the prompt must be shorter than the context of ${contextLength} tokens of ${name}, got ${ids.length}; ` +
        'shorten it, or take a model with a longer context',
    )
  }
  signal?.throwIfAborted()
  const starting = policy.start(sampling, seed)
  try {
    const conversation = await abortable(starting, signal)
    const stream = onText && new TextStream(stop, onText)
    const onIds = stream && ((sampled: readonly number[]) => stream.grow(tokenizer.decode(sampled)))
    const generation = await abortable(conversation.generate(ids, { maxTokens, stop }, onIds), signal)
    const completion = {
      ...ending(generation, stop),
      promptTokens: ids.length,
      completionTokens: generation.ids.length,
    }
    stream?.end(completion.text)
    return completion
  } finally {
    // A conversation that starts after the end is given back as well.
    starting.then(
      (conversation: Conversation) => conversation.end(),
      () => undefined,
    )
  }
}

/** The text of a generation and why it ended. */
function ending(
  { text, stopReason }: Generation,
  stop: readonly string[],
): Pick<Completion, 'text' | 'finishReason' | 'stopString'> {
  if (stopReason === 'eos') return { text, finishReason: 'end' }
  if (stopReason !== 'stop') return { text: wholeCharacters(text), finishReason: 'length' }
  const found = stop.map((each) => ({ each, place: text.indexOf(each) })).filter(({ place }) => place >= 0)
  const { each, place } = found.reduce((first, other) => (other.place < first.place ? other : first))
  return { text: text.slice(0, place), finishReason: 'stop', stopString: each }
}
