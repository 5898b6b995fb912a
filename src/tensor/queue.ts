/** The last of the jobs that run alone, and what was started beside others since. */
let alone: Promise<unknown> = Promise.resolve()
let besides: Promise<unknown>[] = []

/**
 * Runs `job` after everything queued before it, and before everything queued after it: the engine does one thing at a time, so
 * that calls see the variables as earlier calls left them. Jobs start in the order of the calls of this function.
 */
export function enqueue<T>(job: () => Promise<T>): Promise<T> {
  const before = Promise.all([alone, ...besides])
  const result = before.then(job)
  alone = result.catch(() => undefined)
  besides = []
  return result
}

/**
 * Runs `job` after all jobs of `enqueue` that came before it, and beside others of its kind, whose order the caller sees to: no
 * two that change the same variables.
 */
export function enqueueBeside<T>(job: () => Promise<T>): Promise<T> {
  const result = alone.then(job)
  const ended: Promise<unknown> = result
    .catch(() => undefined)
    .then(() => (besides = besides.filter((other) => other !== ended)))
  besides.push(ended)
  return result
}
