let tail: Promise<unknown> = Promise.resolve()

/**
 * Runs `job` after everything queued before it: the engine does one thing at a time, so that calls see the variables
 * as earlier calls left them. Jobs start in the order of the calls of this function.
 */
export function enqueue<T>(job: () => Promise<T>): Promise<T> {
  const result = tail.then(job)
  tail = result.catch(() => undefined)
  return result
}

/**
 * Rejects as soon as `signal` aborts, although TensorFlow cannot stop a running function: the call ends in the
 * background, and later calls wait for it.
 */
export function abortable<T>(promise: Promise<T>, signal: AbortSignal | undefined, name: string): Promise<T> {
  if (!signal) return promise
  return new Promise((resolve, reject) => {
    const abort = (): void => {
      reject(new DOMException(`${name}: stopped; the running step ends in the background`, 'AbortError'))
    }
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    promise.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort))
  })
}
