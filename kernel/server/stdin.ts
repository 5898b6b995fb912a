import type { CellContext } from './outputs.js'
import { jsonText } from './json.js'
import type { ToWire } from './thread-messages.js'

/** Asks the person at the front end for a line. */
export class Stdin {
  readonly #tell: (message: ToWire) => void
  #waiting: { resolve(line: string): void; reject(error: Error): void } | undefined

  constructor(tell: (message: ToWire) => void) {
    this.#tell = tell
  }

  /** @throws {Error} where the front end can't ask, such as in an unattended run */
  ask(context: CellContext | undefined, prompt: string, password: boolean): Promise<string> {
    if (typeof prompt !== 'string') throw new TypeError(`input: the prompt must be a string, got ${typeof prompt}`)
    if (!context?.allowStdin)
      throw new Error(
        'input: this front end can’t ask for a line; run the cell in JupyterLab, or set the value in the environment',
      )
    if (this.#waiting) throw new Error('input: a question is open already; await its answer first')
    const { parent, identities } = context
    const type = 'input_request'
    const content = jsonText({ prompt, password }, type)
    this.#tell({ kind: 'send', message: { channel: 'stdin', type, parent, content, identities } })
    return new Promise((resolve, reject) => (this.#waiting = { resolve, reject }))
  }

  receive(type: string, content: Record<string, unknown>): void {
    if (type !== 'input_reply') return
    this.#waiting?.resolve(typeof content['value'] === 'string' ? content['value'] : '')
    this.#waiting = undefined
  }

  cancel(): void {
    this.#waiting?.reject(new Error('input: the cell was interrupted'))
    this.#waiting = undefined
  }
}
