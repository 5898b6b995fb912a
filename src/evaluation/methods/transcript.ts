import type { Completion, LanguageModel } from '../../language-model/language-model.js'
import type { Conversation, Policy, Sampling } from '../../policy/policy.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import type { Attempt } from './attempt.js'

/** A piece that a model wrote. */
export interface Written {
  /** The text, the stop string that ended it included; nothing after it. */
  text: string
  /** `stop`: a stop string; `end`: the model ended; `length`: as long as allowed; `full`: the context holds no more. */
  ending: 'stop' | 'end' | 'length' | 'full'
}

/** A text that a model and a method write in turns: the model up to a stop string, then the method, then the model again. */
export interface Transcript {
  /** The model writes on. */
  write(maxTokens: number, stop: readonly string[]): Promise<Written>
  /** Adds a text of somebody else. Where it holds what others wrote, that must have been made harmless. */
  insert(text: string): void
  /** Gives the model's cache back. */
  end(): void
}

/** A policy shows its tokens, and so can be given tokens. */
export const isPolicy = (model: LanguageModel | Policy): model is Policy => 'start' in model && 'tokenizer' in model

/**
 * Begins a text.
 *
 * A policy writes on in one text, token after token, with its cache kept; its ids and log-probabilities go into the trajectory.
 * So does a language model that is given a text. One that is given messages is asked as a chat: what is inserted comes as the
 * user's next message, for a server that chats cannot go on in the middle of a message.
 * @param opening What the model's first message begins with, where it can be told: it counts as inserted.
 */
export async function openTranscript(
  model: LanguageModel | Policy,
  prompt: string | Message[],
  attempt: Attempt,
  sampling: Sampling,
  opening = '',
): Promise<Transcript> {
  if (!isPolicy(model)) return new ModelTranscript(model, prompt, attempt, sampling)
  const { tokenizer } = model
  const text = typeof prompt === 'string' ? prompt : tokenizer.renderPrompt(prompt)
  const starting = Promise.resolve().then(() => model.start(sampling, attempt.seed))
  try {
    const conversation = await attempt.guard('policy', () => starting)
    return new PolicyTranscript(model, conversation, tokenizer.encode(text + opening), attempt)
  } catch (error) {
    // One that starts after the end is given back as well.
    starting.then(
      (conversation) => conversation.end(),
      () => undefined,
    )
    throw error
  }
}

/** Runs a transcript to its end, and gives it back whatever happens. */
export async function withTranscript<T>(
  opening: Promise<Transcript>,
  use: (transcript: Transcript) => Promise<T>,
): Promise<T> {
  const transcript = await opening
  try {
    return await use(transcript)
  } finally {
    transcript.end()
  }
}

class PolicyTranscript implements Transcript {
  private first = true

  constructor(
    private readonly policy: Policy,
    private readonly conversation: Conversation,
    /** Ids that the policy has not read yet. */
    private next: number[],
    private readonly attempt: Attempt,
  ) {}

  async write(maxTokens: number, stop: readonly string[]): Promise<Written> {
    const { policy, conversation, attempt, next } = this
    const { trajectory, spent } = attempt
    const left = policy.contextLength - trajectory.ids.length - next.length
    if (left < 1) {
      if (!this.first) return { text: '', ending: 'full' }
      return attempt.guard('policy', () => {
        throw new Error(
          `the prompt must be shorter than the context of ${policy.contextLength} tokens of ${policy.name}, got ` +
            `${next.length}; a question is never cut: take a model with a longer context`,
        )
      })
    }
    spent.turns++
    const limits = { maxTokens: Math.min(maxTokens, left), stop: [...stop] }
    const { ids, logprobs, text, stopReason } = await attempt.guard('policy', () => conversation.generate(next, limits))
    if (this.first) trajectory.promptLength = next.length
    this.first = false
    this.next = []
    for (const id of next) add(id, 0, 0)
    ids.forEach((id, i) => add(id, 1, logprobs[i]!))
    spent.tokens += ids.length
    if (stopReason === 'stop') return { text: upToStop(text, stop)!, ending: 'stop' }
    if (stopReason === 'eos') return { text, ending: 'end' }
    return { text, ending: ids.length === left ? 'full' : 'length' }

    function add(id: number, mask: number, logprob: number): void {
      trajectory.ids.push(id)
      trajectory.lossMask.push(mask)
      trajectory.logprobs.push(logprob)
    }
  }

  insert(text: string): void {
    for (const id of this.policy.tokenizer.encode(text)) this.next.push(id)
  }

  end(): void {
    this.conversation.end()
  }
}

class ModelTranscript implements Transcript {
  private calls = 0

  constructor(
    private readonly model: LanguageModel,
    private prompt: string | Message[],
    private readonly attempt: Attempt,
    private readonly sampling: Sampling,
  ) {}

  async write(maxTokens: number, stop: readonly string[]): Promise<Written> {
    const { attempt, model, sampling } = this
    const options = { ...sampling, maxTokens, stop }
    const completion = await attempt.complete(model, this.prompt, options, TRANSCRIPT, this.calls++)
    const text = withStop(completion, stop)
    this.add('assistant', text)
    if (upToStop(text, stop) !== undefined) return { text, ending: 'stop' }
    return { text, ending: completion.finishReason === 'length' ? 'length' : 'end' }
  }

  insert(text: string): void {
    this.add('user', text)
  }

  end(): void {
    // A language model keeps nothing between calls.
  }

  private add(role: Message['role'], content: string): void {
    if (typeof this.prompt === 'string') {
      this.prompt += content
      return
    }
    const last = this.prompt.at(-1)
    // Chat templates want roles that alternate, and texts that are not empty.
    if (last?.role === role) this.prompt = [...this.prompt.slice(0, -1), { role, content: last.content + content }]
    else if (content !== '') this.prompt = [...this.prompt, { role, content }]
  }
}

/** Tells draws of a transcript from others of the same question. */
const TRANSCRIPT = 0x7ea

/** The text up to the stop string that comes first, this included; undefined where there is none. */
export function upToStop(text: string, stop: readonly string[]): string | undefined {
  let end = Infinity
  for (const each of stop) {
    const place = text.indexOf(each)
    if (place >= 0) end = Math.min(end, place + each.length)
  }
  return end === Infinity ? undefined : text.slice(0, end)
}

/** A completion's text with the stop string that ended it, and nothing after it. */
export function withStop({ text, finishReason, stopString }: Completion, stop: readonly string[]): string {
  return upToStop(text, stop) ?? text + (stopString ?? (finishReason === 'stop' ? closing(text, stop) : ''))
}

/**
 * The stop string that ended a text, where a server does not tell which: that of the tag that was opened last and is open
 * still. `</a>` closes `<a>`, `<|end_a|>` closes `<|begin_a|>`.
 */
function closing(text: string, stop: readonly string[]): string {
  const opened = stop.map((close) => {
    const open = close.replace('</', '<').replace('<|end_', '<|begin_')
    return { close, place: open === close ? -1 : text.lastIndexOf(open) }
  })
  opened.sort((a, b) => b.place - a.place)
  return opened[0] && opened[0].place >= 0 ? opened[0].close : ''
}
