import { abortable } from '../signal/abortable.js'
import type { Completion, CompletionOptions } from './language-model.js'

type Given = Pick<CompletionOptions, 'onText'> & { signal: AbortSignal | undefined }

/** One completion that several wait for. It is given up when none of them waits any more. */
export class SharedCompletion {
  /** As it ends for whoever still waits. */
  readonly ended: Promise<Completion>
  private readonly controller = new AbortController()
  private readonly listeners = new Set<(piece: string) => void>()
  private waiting = 0
  private text = ''

  /** @param start Asks the model; called once, at once. */
  constructor(
    start: (given: { signal: AbortSignal; onText?: (piece: string) => void }) => Promise<Completion>,
    streams: boolean,
  ) {
    const { signal } = this.controller
    const onText = (piece: string): void => {
      this.text += piece
      for (const listener of this.listeners) listener(piece)
    }
    this.ended = start({ signal, ...(streams && { onText }) })
    this.ended.catch(() => undefined)
  }

  /** False once nobody waited any more. */
  get isOpen(): boolean {
    return !this.controller.signal.aborted
  }

  /**
   * Waits for it. Pieces that came before are handed on first.
   * @throws what `onText` throws, for this one alone; the reason of its signal
   */
  async join({ onText, signal }: Given): Promise<Completion> {
    this.waiting++
    let heard = 0
    let failure: { error: unknown } | undefined
    let fail: (error: Error) => void = () => undefined
    const failed = new Promise<never>((_, reject) => (fail = reject))
    failed.catch(() => undefined)
    const hear = (text: string): void => {
      if (failure || text.length <= heard) return
      const piece = text.slice(heard)
      heard = text.length
      try {
        onText?.(piece)
      } catch (error) {
        failure = { error }
        fail(error as Error)
      }
    }
    const listener = (): void => hear(this.text)
    if (onText) this.listeners.add(listener)
    try {
      hear(this.text)
      const completion = await abortable(Promise.race([this.ended, failed]), signal)
      hear(completion.text)
      if (failure) throw failure.error
      return completion
    } finally {
      this.listeners.delete(listener)
      if (--this.waiting === 0) this.controller.abort(new Error('nobody waits for this text any more'))
    }
  }
}
