import type { LanguageModel } from '../../src/language-model/language-model.js'
import { policyText } from '../../src/language-model/policy-text.js'
import type { Generation, Policy } from '../../src/policy/policy.js'
import { takeTokens } from '../../src/policy/take-tokens.js'
import type { Tokenizer } from '../../src/tokenizer/tokenizer.js'
import { letterTokenizer } from '../tiny-model.js'

interface ScriptOptions {
  tokenizer?: Tokenizer
  contextLength?: number
  /** How the script's text is sampled; default: as the tokenizer would encode it. */
  sample?: (text: string) => number[]
}

export interface ScriptedPolicy extends Policy, LanguageModel {
  readonly contextLength: number
  /** What each call of `generate` was given, decoded. */
  heard: string[]
  /** Conversations that were started and not given back. */
  open(): number
}

/**
 * A policy that says what a script says, turn by turn, within the limits it is given, ends its text with the
 * end-of-text token where no stop string does, and records what it was given.
 */
export function scriptedPolicy(
  script: (turn: number, heard: string) => string,
  options: ScriptOptions = {},
): ScriptedPolicy {
  const { tokenizer = letterTokenizer, contextLength = 10_000 } = options
  const sample = options.sample ?? ((text: string) => tokenizer.encode(text))
  const heard: string[] = []
  let open = 0
  const policy: Policy = {
    name: 'scripted',
    tokenizer,
    contextLength,
    start() {
      let turn = 0
      let all = ''
      let length = 0
      let ended = false
      open++
      return Promise.resolve({
        generate(ids, limits): Promise<Generation> {
          if (length + ids.length >= contextLength) throw new Error('scripted policy: the context is full')
          if (limits.maxTokens < 1) throw new Error(`scripted policy: maxTokens is ${limits.maxTokens}`)
          length += ids.length
          all += tokenizer.decode(ids)
          heard.push(tokenizer.decode(ids))
          const wanted = sample(script(turn++, all))
          const tokens = [...wanted, ...tokenizer.eosIds.slice(0, 1)].slice(0, limits.maxTokens)
          const taken = takeTokens(tokenizer, [], tokens, limits, contextLength - length)
          const own = tokens.slice(0, taken.count)
          length += own.length
          all += taken.text
          const logprobs = own.map((_, i) => -0.5 - i / 100)
          return Promise.resolve({ ids: own, logprobs, text: taken.text, stopReason: taken.stopReason! })
        },
        end() {
          if (!ended) open--
          ended = true
        },
      })
    },
  }
  return { ...policyText(policy), ...policy, heard, open: () => open }
}
