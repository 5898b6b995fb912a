import type { CellContext } from './outputs.js'
import type { Message } from './message.js'
import type { Outgoing } from './thread-messages.js'

/** Asks the person at the front end for a line. */
export class Stdin {
  readonly #send: (message: Outgoing) => void
  #waiting: { resolve(line: string): void; reject(error: Error): void } | undefined

  constructor(send: (message: Outgoing) => void) {
    this.#send = send
  }

  /** @throws {Error} where the front end can't ask, such as in an unattended run */
  ask(context: CellContext | undefined, prompt: string, password: boolean): Promise<string> {
    if (!context?.allowStdin)
      throw new Error(
        'input: this front end can’t ask for a line; run the cell in JupyterLab, or set the value in the environment',
      )
    if (this.#waiting) throw new Error('input: a question is open already; await its answer first')
    const { parent, identities } = context
    this.#send({ channel: 'stdin', type: 'input_request', parent, content: { prompt, password }, identities })
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
  }

  receive({ header, content }: Message): void {
    if (header.msg_type !== 'input_reply') return
    this.#waiting?.resolve(typeof content['value'] === 'string' ? content['value'] : '')
    this.#waiting = undefined
  }

  cancel(): void {
    this.#waiting?.reject(new Error('input: the cell was interrupted'))
    this.#waiting = undefined
  }
}
