import type { XPublisher } from 'zeromq'

/**
 * How many messages ZeroMQ holds for a front end that does not read them. Text comes in messages of 1 MB or less. Nothing is
 * held for a front end that is gone.
 */
export const HIGH_WATER_MARK = 64
/** How long a front end that does not read may hold up the output. */
const PATIENCE_MS = 10_000
const RETRY_MS = 1

/**
 * Sends on IOPub as fast as the slowest front end reads, so that nothing is lost and a cell that prints waits for it. A front
 * end that has not read for ten seconds is waited for no longer: it loses what does not fit, until it reads again, while the
 * others get everything.
 */
export class Publisher {
  readonly #socket: XPublisher
  readonly #note: (text: string) => void
  /** Since when a front end has taken nothing more; and how many messages it has missed since. */
  #fullSince: number | undefined
  #missed = 0
  #noDrop = true

  /** @param socket one that drops nothing (`noDrop`) */
  constructor(socket: XPublisher, note: (text: string) => void) {
    this.#socket = socket
    this.#note = note
  }

  async send(frames: Uint8Array[]): Promise<void> {
    while (!(await this.#trySend(frames, true))) {
      this.#fullSince ??= performance.now()
      if (performance.now() - this.#fullSince > PATIENCE_MS) {
        if (this.#missed++ === 0) this.#note('a front end does not read its output; it will miss some of it')
        await this.#trySend(frames, false)
        return
      }
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS))
    }
    if (this.#missed > 0) this.#note(`the front end reads again; it may have missed ${this.#missed} messages`)
    this.#fullSince = undefined
    this.#missed = 0
  }

  /** @param all whether every front end must get it; then false where one of them takes nothing more now */
  async #trySend(frames: Uint8Array[], all: boolean): Promise<boolean> {
    if (this.#noDrop !== all) this.#socket.noDrop = this.#noDrop = all
    try {
      await this.#socket.send(frames)
      return true
    } catch (error) {
      if ((error as { code?: string }).code === 'EAGAIN') return false
      throw error
    }
  }
}
