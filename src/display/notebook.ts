import { randomUUID } from 'node:crypto'
import { createRequire } from 'node:module'
import { toMimeBundle } from './mime-bundle.js'
import type { MimeBundle, ShowOptions } from './mime-bundle.js'

interface TslabJupyter {
  lastWriteDisplayData?: (
    content: { data: MimeBundle; metadata: object; transient: { display_id?: string } },
    update: boolean,
  ) => void
}

/** tslab's own module, where this process is a tslab kernel. */
function tslab(): TslabJupyter | undefined {
  const require = createRequire(import.meta.url)
  try {
    return require.cache[require.resolve('tslab/dist/jupyter.js')]?.exports as TslabJupyter | undefined
  } catch {
    return undefined
  }
}

function write(data: MimeBundle, id?: string, update = false): void {
  const writer = tslab()?.lastWriteDisplayData
  if (writer) writer({ data, metadata: {}, transient: id === undefined ? {} : { display_id: id } }, update)
  else if (!update) console.log(data['text/plain'])
}

/** Shows a value in the cell's output; outside of a notebook its plain text is printed. */
export async function display(value: unknown, options: ShowOptions = {}): Promise<void> {
  write(await toMimeBundle(value, options))
}

/** An output that changes in place. */
export interface LiveDisplay {
  update(value: unknown): Promise<void>
}

/** Makes an output that changes in place, in the cell that called. */
export function liveDisplay(): LiveDisplay {
  const id = randomUUID()
  let shown = false
  return {
    async update(value) {
      const data = await toMimeBundle(value)
      write(data, id, shown)
      shown = true
    },
  }
}
