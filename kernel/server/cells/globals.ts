/** Types of what the kernel adds to a cell's scope, as one file of the program. */
export const GLOBALS = `
/** This notebook's kernel. */
declare const Jupyter: {
  /** Shows a value in the cell's output. With an id, a later display of the same id can take its place. */
  display(value: unknown, options?: { id?: string; update?: boolean; raw?: boolean; metadata?: Record<string, unknown> }): Promise<void>
  /** Clears the cell's output; with wait, not before there is something new. */
  clearOutput(wait?: boolean): void
  /** Shows text in the pager. */
  page(text: string): void
  /** Asks for a line of text. */
  input(prompt?: string): Promise<string>
  /** Asks for a line that is neither shown nor stored, such as an API key. */
  secret(prompt?: string): Promise<string>
  /** Aborts when the cell is interrupted: give it to fetch, or listen, to end what the cell began. */
  readonly signal: AbortSignal
  /** Comms: messages to and from the front end. */
  comms: {
    register(target: string, onOpen: (comm: JupyterComm, data: any, buffers: Uint8Array[]) => void): void
    open(target: string, data?: unknown, options?: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] }): JupyterComm
  }
}
interface JupyterComm {
  readonly id: string
  readonly target: string
  send(data: unknown, options?: { metadata?: Record<string, unknown>; buffers?: Uint8Array[] }): void
  close(data?: unknown): void
  onMessage?: (data: any, buffers: Uint8Array[]) => void
  onClose?: (data: any) => void
}
`
