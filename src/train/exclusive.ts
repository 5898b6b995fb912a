import { abortable } from '../signal/abortable.js'

/** What is in use, and the work that will let go of it. */
const uses = new Map<unknown, Promise<unknown>>()

/** Starts work when no other holds one of these things: a stopped training may still be saving its policy. */
export function whenFree<T>(things: readonly unknown[], work: () => Promise<T>): Promise<T> {
  const held = things.filter((thing) => thing !== undefined)
  const others = held.flatMap((thing) => uses.get(thing) ?? [])
  const working = Promise.allSettled(others).then(work)
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
