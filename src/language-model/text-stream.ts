/**
 * Hands on a growing text in pieces of whole characters. Characters that may be the beginning of a stop string wait
 * until it is clear that they are none.
 */
export class TextStream {
  private sent = 0

  constructor(
    private readonly stop: readonly string[],
    private readonly onText: (piece: string) => void,
  ) {}

  /** @param text All text so far, an unfinished character at its end included. */
  grow(text: string): void {
    this.send(text, text.length - this.waiting(text))
  }

  /** @param text The whole text. */
  end(text: string): void {
    this.send(text, text.length)
  }

  private send(text: string, length: number): void {
    if (length <= this.sent) return
    const piece = text.slice(this.sent, length)
    this.sent = length
    this.onText(piece)
  }

  /** How many characters at the end are not to be handed on yet. */
  private waiting(text: string): number {
    const whole = wholeCharacters(text)
    for (let length = Math.min(whole.length, this.longestStop() - 1); length > 0; length--) {
      const end = whole.slice(-length)
      if (this.stop.some((each) => each.startsWith(end))) return text.length - whole.length + length
    }
    return text.length - whole.length
  }

  private longestStop(): number {
    return this.stop.reduce((longest, { length }) => Math.max(longest, length), 0)
  }
}

/** A text without an unfinished character at its end: bytes that decode to U+FFFD, or the first half of a pair. */
export function wholeCharacters(text: string): string {
  return text.replace(/(?:\uFFFD|[\uD800-\uDBFF])+$/, '')
}
