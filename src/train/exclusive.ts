import { AsyncLocalStorage } from 'node:async_hooks'
import { abortable } from '../signal/abortable.js'

/** What is in use, and the work that will let go of it. */
const uses = new Map<unknown, Promise<unknown>>()

/** What the work holds out of which code is called: an `onUpdate` holds what its training does. */
const holding = new AsyncLocalStorage<readonly unknown[]>()

/**
 * Starts work when no other holds one of these things: a stopped training may still be saving its policy.
 * @param operation Begins the error.
 * @throws where the work that holds one is the caller itself, for both would wait for ever
 */
export function whenFree<T>(operation: string, things: readonly unknown[], work: () => Promise<T>): Promise<T> {
  const held = things.filter((thing) => thing !== undefined)
  const callers = holding.getStore() ?? []
  if (held.some((thing) => callers.includes(thing) && uses.has(thing))) {
    const error = new Error(
      `${operation}: must not be called by the training that holds the same model or folder, as in its onUpdate: each would wait ` +
        'for the other. Call it when the training has ended',
    )
    return Promise.reject(error)
  }
  const others = held.flatMap((thing) => uses.get(thing) ?? [])
  const working = Promise.allSettled(others).then(() => holding.run([...callers, ...held], work))
  for (const thing of held) uses.set(thing, working)
  const release = (): void => held.forEach((thing) => uses.get(thing) === working && uses.delete(thing))
  working.then(release, release)
  return working
}

/**
 * The work's result, or a rejection as soon as the signal aborts. The work then ends by itself; how it fails is told on the
 * standard error, for nobody need await it any more.
 * @param stopped What it rejects with, given a promise of the work's end.
 */
export async function rejectWhenStopped<T>(
  working: Promise<T>,
  signal: AbortSignal,
  stopped: (ended: Promise<void>) => Error,
): Promise<T> {
  try {
    return await abortable(working, signal)
  } catch (error) {
    if (!signal.aborted) throw error
    const ended = working.then(
      () => undefined,
      (fault: unknown) => {
        if (fault !== signal.reason) throw fault
      },
    )
    ended.catch((fault: unknown) => console.error('train: in the background, after the stop:', fault))
    throw stopped(ended)
  }
}
