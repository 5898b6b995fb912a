/** What the project's kernel gives to cells (kernel/server/jupyter-global.ts), as far as the library uses it. */
export interface Jupyter {
  /** Shows a bundle of MIME types; with an `id` it can be updated. */
  display(
    bundle: Readonly<Record<string, unknown>>,
    options: { raw: true; id?: string; update?: boolean },
  ): Promise<void>
  /** Asks for a line that is neither shown nor stored. It rejects where the front end can't ask, or the cell is stopped. */
  secret(prompt: string): Promise<string>
  /** Aborts when the cell that runs is interrupted. */
  readonly signal?: AbortSignal
  readonly comms: Comms
}

/** One end of a comm; the other is in the page. */
export interface Comm {
  readonly id: string
  send(data: unknown, options?: { buffers?: Uint8Array[] }): void
  close(): void
  onMessage?: (data: unknown, buffers: Uint8Array[]) => void
  onClose?: () => void
}

export interface Comms {
  register(target: string, onOpen: (comm: Comm) => void): void
  open(target: string, data: unknown, options: { metadata: object; buffers: Uint8Array[] }): Comm
}

/** The notebook's kernel, or undefined outside of a notebook. The one place that reads the global. */
export const jupyter = (): Jupyter | undefined => (globalThis as { Jupyter?: Jupyter }).Jupyter

/** The stop button of the notebook, for the cell that runs: it aborts this signal. Elsewhere there is none. */
export const interruptSignal = (): AbortSignal | undefined => jupyter()?.signal
