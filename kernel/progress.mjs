// One line of the terminal for what is being done: its name, what it is at, the seconds so far.
const PERIOD_MS = 1000
/** Where the output is a file or a pipe, what it is at is written this often. */
const QUIET_PERIOD_MS = 15_000

/** @param {string} title */
export function progress(title) {
  const started = Date.now()
  const seconds = () => `${((Date.now() - started) / 1000).toFixed(0)} s`
  const live = process.stdout.isTTY === true
  let note = ''
  let written = 0
  const draw = () => {
    const text = `… ${title}${note ? ` – ${note}` : ''} (${seconds()})`
    process.stdout.write(`\r\x1b[2K${text.slice(0, (process.stdout.columns ?? 80) - 1)}`)
  }
  const timer = live ? setInterval(draw, PERIOD_MS).unref() : undefined
  if (live) draw()
  else console.log(`… ${title}`)
  const end = (mark) => {
    clearInterval(timer)
    console.log(`${live ? '\r\x1b[2K' : ''}${mark} ${title} (${seconds()})`)
  }
  return {
    /** @param {string} text what the work is at */
    say(text) {
      note = text
      if (live || Date.now() - written < QUIET_PERIOD_MS) return
      written = Date.now()
      console.log(`  ${text} (${seconds()})`)
    },
    done: () => end('✓'),
    failed: () => end('✗'),
  }
}
