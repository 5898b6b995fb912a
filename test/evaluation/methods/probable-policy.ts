import type { Policy } from '../../../src/policy/policy.js'
import type { Tokenizer } from '../../../src/tokenizer/tokenizer.js'

/** One id a character from the space on, a line's end, the end of a text, and one for each control token. */
export function controlTokenizer(controls: readonly string[]): Tokenizer {
  const letters = ['\n', ...Array.from({ length: 95 }, (_, i) => String.fromCharCode(32 + i))]
  const tokens = ['<eos>', ...letters, ...controls]
  const byLength = [...controls].sort((a, b) => b.length - a.length)
  return {
    vocabSize: tokens.length,
    eosIds: [0],
    padId: 0,
    specialTokens: [],
    hasChatTemplate: false,
    encode(text) {
      const ids: number[] = []
      for (let i = 0; i < text.length;) {
        const control = byLength.find((token) => text.startsWith(token, i))
        const token = control ?? text[i]!
        ids.push(tokens.indexOf(token))
        i += token.length
      }
      if (ids.includes(-1)) throw new Error(`no token for a part of ${JSON.stringify(text)}`)
      return ids
    },
    decode: (ids) => ids.map((id) => tokens[id]).join(''),
    renderPrompt: (messages) => messages.map(({ content }) => content).join('\n'),
  }
}

export interface ProbablePolicy extends Policy {
  /** All texts that distributions were asked for. */
  heard: string[]
  open(): number
}

/**
 * A policy whose probabilities a script gives: for the text so far, those of some tokens. What they leave of 1 is shared by
 * all others.
 */
export function probablePolicy(
  controls: readonly string[],
  script: (text: string) => Record<string, number>,
  { contextLength = 100_000, tells = true } = {},
): ProbablePolicy {
  const tokenizer = controlTokenizer(controls)
  const heard: string[] = []
  let open = 0
  return {
    name: 'probable',
    tokenizer,
    contextLength,
    heard,
    open: () => open,
    start() {
      open++
      let ended = false
      const all: number[] = []
      const nextLogprobs = (ids: readonly number[]): Promise<Float32Array> => {
        if (all.length + ids.length > contextLength) return Promise.reject(new Error('the context is full'))
        all.push(...ids)
        const text = tokenizer.decode(all)
        heard.push(text)
        const given = Object.entries(script(text))
        const left = 1 - given.reduce((sum, [, p]) => sum + p, 0)
        const rest = Math.max(left, 1e-9) / tokenizer.vocabSize
        const probabilities = new Float32Array(tokenizer.vocabSize).fill(rest)
        for (const [token, p] of given) {
          const [id, more] = token === '<eos>' ? [0] : tokenizer.encode(token)
          if (more !== undefined) throw new Error(`${token} is no token`)
          probabilities[id!] = p
        }
        return Promise.resolve(probabilities.map(Math.log))
      }
      return Promise.resolve({
        ...(tells && { nextLogprobs }),
        generate: () => Promise.reject(new Error('nobody should ask for this')),
        end() {
          if (!ended) open--
          ended = true
        },
      })
    },
  }
}
