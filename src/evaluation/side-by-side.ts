/**
 * Runs a task for each item, at most `limit` at a time; an item is taken when there is room for its task. Once a task has
 * failed, or the taking, no further item is taken.
 * @returns what the tasks gave, in the order of the items
 */
export async function sideBySide<T, R>(
  items: readonly T[] | AsyncIterable<T>,
  limit: number,
  run: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = []
  const { take, end } = Symbol.asyncIterator in items ? fromStream(items) : fromList(items)
  let ended = false
  let index = 0
  const work = async (): Promise<void> => {
    try {
      for (;;) {
        const taking = ended ? undefined : take()
        const taken = taking instanceof Promise ? await taking : taking
        if (taken === undefined || taken.done || ended) return
        const place = index++
        results[place] = await run(taken.value, place)
      }
    } catch (error) {
      ended = true
      throw error
    }
  }
  const room = Symbol.asyncIterator in items ? limit : Math.min(limit, items.length)
  try {
    await Promise.all(Array.from({ length: room }, work))
    return results
  } finally {
    end()
  }
}

interface Source<T> {
  take: () => IteratorResult<T> | Promise<IteratorResult<T>>
  end: () => void
}

function fromList<T>(items: readonly T[]): Source<T> {
  const iterator = items[Symbol.iterator]()
  return { take: () => iterator.next(), end: () => undefined }
}

/** One item at a time: an iterator need not bear to be asked again before it has answered. */
function fromStream<T>(items: AsyncIterable<T>): Source<T> {
  const iterator = items[Symbol.asyncIterator]()
  let taking: Promise<unknown> = Promise.resolve()
  return {
    take() {
      const taken = taking.then(() => iterator.next())
      taking = taken.catch(() => undefined)
      return taken
    },
    // Not waited for: what gives the items may never answer.
    end: () => void Promise.resolve(iterator.return?.()).catch(() => undefined),
  }
}
