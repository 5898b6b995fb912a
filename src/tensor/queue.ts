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
