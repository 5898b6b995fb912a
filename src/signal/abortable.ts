import { setMaxListeners } from 'node:events'

/**
 * The promise, or a rejection as soon as the signal aborts. What runs on is left to itself.
 * @param reason what it rejects with then; default: the signal's reason
 */
export function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  reason: (signal: AbortSignal) => Error = (signal) => signal.reason as Error,
): Promise<T> {
  if (!signal) return promise
  // Hundreds of rollouts wait for one signal, which Node would report as a leak.
  setMaxListeners(0, signal)
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(reason(signal))
    if (signal.aborted) abort()
    else signal.addEventListener('abort', abort, { once: true })
    // Also where it has been aborted: the promise's own rejection must not be left to nobody.
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
