/**
 * Turns the first Ctrl-C, or SIGTERM, into a signal; a second one ends the process at once.
 * @param then What happens after the first one, for the message.
 */
export function interruption(then: string): { signal: AbortSignal; end: () => void } {
  const stop = new AbortController()
  const end = (): void => {
    process.removeListener('SIGINT', interrupt)
    process.removeListener('SIGTERM', interrupt)
  }
  function interrupt(): void {
    end()
    console.error(`\ninterrupted; ${then}. Once more ends it at once`)
    stop.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return { signal: stop.signal, end }
}
