import type { Generation, Policy } from '../../src/policy/policy.js'
import { letterTokenizer } from '../tiny-model.js'

/** A policy that says what a script says, turn by turn, and records what it was given. */
export function scriptedPolicy(script: (turn: number, heard: string) => string): Policy & { heard: string[] } {
  const heard: string[] = []
  return {
    name: 'scripted',
    tokenizer: letterTokenizer,
    contextLength: 10_000,
    heard,
    start() {
      let turn = 0
      let all = ''
      return Promise.resolve({
        generate(ids, limits): Promise<Generation> {
          all += letterTokenizer.decode(ids)
          heard.push(letterTokenizer.decode(ids))
          const text = script(turn++, all)
          all += text
          const own = letterTokenizer.encode(text)
          const stopReason = limits.stop.some((stop) => text.endsWith(stop)) ? 'stop' : 'eos'
          return Promise.resolve({ ids: own, logprobs: own.map((_, i) => -0.5 - i / 100), text, stopReason })
        },
        end: () => undefined,
      })
    },
  }
}
