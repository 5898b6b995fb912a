import type { loadTslab } from './cells/tslab.js'
import type { Comms } from './comms.js'
import { mimeBundle, wire } from './mime.js'
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
  const show = (data: MimeBundle, metadata: Record<string, unknown>, id: string | undefined, update: boolean): void =>
    outputs.publish(update ? 'update_display_data' : 'display_data', {
      data: wire(data),
      metadata,
      transient: id === undefined ? {} : { display_id: id },
    })
  tslab.lastWriteDisplayData = ({ data, metadata, transient }, update) =>
    show(data, metadata, transient?.display_id, update)
  const jupyter = {
    async display(value: unknown, { id, update = false, raw = false, metadata = {} }: DisplayOptions = {}) {
      show(raw ? (value as MimeBundle) : await mimeBundle(value), metadata, id, update)
    },
    clearOutput: (wait = false) => outputs.publish('clear_output', { wait }),
    page: (text: string) => outputs.context()?.payload.push({ source: 'page', data: { 'text/plain': text }, start: 0 }),
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
