import { normalizeAnswer } from './normalize-answer.js'
import { trim } from './white-space.js'

/**
 * Whether a gold answer stands in a text, in whole words: "Berlin" does not hold "in". Both are normalised as answers are
 * (`normalizeAnswer`); besides, signs may part words, so that "Lima's" and "Lima-based" hold "Lima". Of an answer of which
 * normalisation leaves nothing ("+"), its own characters are looked for.
 * @example
 * zs.containsAnswer("Lima's port is Callao.", ['Lima']) // true
 */
export function containsAnswer(text: string, goldAnswers: readonly string[]): boolean {
  const forms = [normalizeAnswer(text), normalizeAnswer(apart(text))].map((form) => ` ${form} `)
  return goldAnswers.some((gold) => {
    const wanted = [normalizeAnswer(gold), normalizeAnswer(apart(gold))]
    if (wanted[0] === '') return trim(gold) !== '' && text.includes(trim(gold))
    return forms.some((form, i) => wanted[i] !== '' && form.includes(` ${wanted[i]!} `))
  })
}

/** With a blank in place of every sign. */
const apart = (text: string): string => text.replace(/[\p{P}\p{S}]/gu, ' ')
