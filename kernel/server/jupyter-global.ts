import type { loadTslab } from './cells/tslab.js'
import type { Comms } from './comms.js'
import { mimeBundle, wireBundle } from './mime.js'
import type { MimeBundle } from './mime.js'
import type { Outputs } from './outputs.js'
import type { Stdin } from './stdin.js'

interface DisplayOptions {
  id?: string
  update?: boolean
  raw?: boolean
  metadata?: Record<string, unknown>
}

/** Makes `Jupyter` (cells/globals.ts has its types), and has tslab's own `display` write here. */
export function installGlobals(
  outputs: Outputs,
  comms: Comms,
  stdin: Stdin,
  tslab: ReturnType<typeof loadTslab>['jupyter'],
): void {
  const message = (data: MimeBundle, metadata: object, id: string | undefined): Record<string, unknown> => {
    if (id !== undefined) checkString('display: id', id)
    return { data: wireBundle(data), metadata, transient: id === undefined ? {} : { display_id: id } }
  }
  const typeOf = (update: boolean): string => (update ? 'update_display_data' : 'display_data')
  tslab.lastWriteDisplayData = ({ data, metadata, transient }, update) =>
    outputs.show(typeOf(update), message(data, metadata, transient?.display_id))
  const jupyter = {
    async display(value: unknown, { id, update = false, raw = false, metadata = {} }: DisplayOptions = {}) {
      const content = message(raw ? (value as MimeBundle) : await mimeBundle(value), metadata, id)
      const free = outputs.untilFree()
      if (free) await free
      outputs.publish(typeOf(update), content)
    },
    clearOutput: (wait = false) => outputs.show('clear_output', { wait: Boolean(wait) }),
    page: (text: string) => {
      checkString('page: text', text)
      outputs.context()?.payload.push({ source: 'page', data: { 'text/plain': text }, start: 0 })
    },
    input: (prompt = '') => stdin.ask(outputs.context(), prompt, false),
    secret: (prompt = '') => stdin.ask(outputs.context(), prompt, true),
    get signal() {
      return outputs.context()?.stop.signal
    },
    comms: { register: comms.register.bind(comms), open: comms.open.bind(comms) },
  }
  Object.defineProperty(globalThis, 'Jupyter', { value: Object.freeze(jupyter) })
  process.exit = (code) => {
    throw new Error(`process.exit(${code ?? ''}): a cell can't end the kernel; use Kernel > Shut Down in the menu`)
  }
}

function checkString(name: string, value: unknown): void {
  if (typeof value !== 'string') throw new TypeError(`${name} must be a string, got ${typeof value}`)
}
