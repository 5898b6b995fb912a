/**
 * The stop button of the notebook, for the cell that runs: it aborts this signal. The project's kernel gives it as
 * `Jupyter.signal`; elsewhere there is none.
 */
export function interruptSignal(): AbortSignal | undefined {
  return (globalThis as { Jupyter?: { signal?: AbortSignal } }).Jupyter?.signal
}
