import { trim } from '../../reward/white-space.js'

/**
 * The content of the last complete `\boxed{…}` in what a model wrote, braces balanced: `\boxed{\frac{1}{2}}` is `\frac{1}{2}`.
 * Null where there is none. Only the model's own messages may be given: pages can hold boxes too.
 */
export function boxedAnswer(messages: readonly string[]): string | null {
  for (const message of [...messages].reverse()) {
    for (let start = message.lastIndexOf(BOX); start >= 0; start = before(message, start)) {
      const content = balanced(message, start + BOX.length)
      if (content !== undefined) return trim(content)
    }
  }
  return null
}

const BOX = '\\boxed{'

const before = (text: string, place: number): number => (place === 0 ? -1 : text.lastIndexOf(BOX, place - 1))

/** The text up to the brace that closes what was opened before `from`. */
function balanced(text: string, from: number): string | undefined {
  let depth = 1
  for (let i = from; i < text.length; i++) {
    if (text[i] === '{') depth++
    if (text[i] === '}' && --depth === 0) return text.slice(from, i)
  }
  return undefined
}
