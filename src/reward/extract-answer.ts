import { trim } from './white-space.js'

/**
 * The text of the last complete `<answer>` of what the policy wrote, trimmed; null where there is none.
 * Only the policy's own messages may be given: prompts and documents can hold answer tags too.
 * @example
 * zs.extractAnswer(['<think> I know. </think><answer> Lima </answer>']) // 'Lima'
 */
export function extractAnswer(messages: readonly string[]): string | null {
  for (const message of [...messages].reverse()) {
    const answers = [...message.matchAll(/<answer>((?:(?!<answer>)[^])*?)<\/answer>/g)]
    const last = answers[answers.length - 1]
    if (last) return trim(last[1]!)
  }
  return null
}
