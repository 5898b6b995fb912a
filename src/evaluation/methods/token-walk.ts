import { z } from 'zod'
import type { Conversation, Policy } from '../../policy/policy.js'
import { parseOptions } from '../../schema/parse-options.js'
import type { Attempt } from './attempt.js'
import { GREEDY } from '../method.js'
import { best } from './uct.js'

/** A policy whose text is decided token by token, from the log-probabilities of what may come next. */
export class TokenWalk {
  private constructor(
    private readonly policy: Policy,
    private readonly conversation: Conversation,
    private readonly attempt: Attempt,
    /** Ids so far, the prompt's included. */
    readonly ids: number[],
    /** Of each id of the vocabulary as the next one. */
    private distribution: Float32Array,
  ) {}

  /** @param ids The prompt; it must leave room in the context. */
  static async open(policy: Policy, attempt: Attempt, ids: readonly number[]): Promise<TokenWalk> {
    const starting = Promise.resolve().then(() => policy.start(GREEDY, attempt.seed))
    try {
      const conversation = await attempt.guard('policy', () => starting)
      const logprobs = await attempt.guard('policy', () => next(policy, conversation, ids))
      attempt.spent.turns++
      return new TokenWalk(policy, conversation, attempt, [...ids], logprobs)
    } catch (error) {
      starting.then(
        (conversation) => conversation.end(),
        () => undefined,
      )
      throw error
    }
  }

  /** Natural logarithms at temperature 1, [vocabulary]. */
  get logprobs(): Float32Array {
    return this.distribution
  }

  /** Ids that the context still holds. */
  get left(): number {
    return this.policy.contextLength - this.ids.length
  }

  /** The likeliest of some ids. */
  likeliest(ids: Iterable<number>): number | undefined {
    return best([...ids], (id) => this.distribution[id]!)
  }

  /** The likeliest of all. */
  greedy(): number {
    let chosen = 0
    for (let id = 1; id < this.distribution.length; id++)
      if (this.distribution[id]! > this.distribution[chosen]!) chosen = id
    return chosen
  }

  /** Goes on with tokens that were decided. */
  async take(...ids: readonly number[]): Promise<void> {
    this.distribution = await this.attempt.guard('policy', () => next(this.policy, this.conversation, ids))
    for (const id of ids) this.ids.push(id)
    this.attempt.spent.tokens += ids.length
  }

  end(): void {
    this.conversation.end()
  }
}

/** Uses a walk, and gives it back whatever happens. */
export async function withWalk<T>(opening: Promise<TokenWalk>, use: (walk: TokenWalk) => Promise<T>): Promise<T> {
  const walk = await opening
  try {
    return await use(walk)
  } finally {
    walk.end()
  }
}

function next(policy: Policy, conversation: Conversation, ids: readonly number[]): Promise<Float32Array> {
  if (!conversation.nextLogprobs) {
    throw new Error(`${policy.name} does not tell log-probabilities of tokens; a model that loadModel gives does`)
  }
  return conversation.nextLogprobs(ids)
}

/** Refuses what is no policy, at the door. */
export function checkPolicy(operation: string, policy: unknown): void {
  const isPolicy = (value: unknown): boolean => {
    const { start, tokenizer } = (value ?? {}) as Record<string, unknown>
    return typeof start === 'function' && typeof tokenizer === 'object'
  }
  const rule =
    'must be a policy in this process, such as loadModel gives; a server shows no probabilities of all tokens'
  parseOptions(operation, z.object({ policy: z.custom(isPolicy, rule) }), { policy })
}

/**
 * The ids of each of a method's own tokens. A checkpoint that was trained for the method has one id for each.
 * @throws where it has not, unless `untrained` is said: each is then spelled out in ordinary tokens
 */
export function controlIds(
  operation: string,
  { name, tokenizer }: Policy,
  tokens: readonly string[],
  { untrained, checkpoint }: { untrained: boolean; checkpoint: string },
): Map<string, number[]> {
  const ids = new Map(tokens.map((token) => [token, tokenizer.encode(token)]))
  const missing = tokens.find((token) => ids.get(token)!.length !== 1)
  if (missing !== undefined && !untrained) {
    throw new Error(
      `${operation}: the policy must have a token ${missing}, ${name} has none; take ${checkpoint}, or say untrained: true to ` +
        'play the algorithm with a model that was not trained for it',
    )
  }
  return ids
}
