import { setMaxListeners } from 'node:events'

/** The promise, or a rejection with the signal's reason as soon as it is given. What runs on is left to itself. */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise
  // Hundreds of rollouts wait for one signal, which Node would report as a leak.
  setMaxListeners(0, signal)
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error)
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
