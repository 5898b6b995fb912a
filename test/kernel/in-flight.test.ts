// The wait of a cell that shows more than the front end takes.
import { expect, it } from 'vitest'
import { InFlight } from '../../kernel/server/in-flight.js'
import { PHASE } from '../../kernel/server/thread-messages.js'

const MUCH = 64 << 20

function inFlight(): { phase: Int32Array; shown: InFlight } {
  const phase = new Int32Array(new SharedArrayBuffer(4 * PHASE.slots))
  return { phase, shown: new InFlight(phase) }
}

it('ends at once where little is under way', async () => {
  const { shown } = inFlight()
  shown.add(1000)
  expect(shown.wait()).toBe('free')
  expect(await shown.waitAsync()).toBe('free')
})

it('lasts until enough was sent, while timers go on', async () => {
  const { shown } = inFlight()
  shown.add(MUCH)
  let ended = false
  const wait = shown.waitAsync().then((end) => ((ended = true), end))
  await new Promise((resolve) => setTimeout(resolve, 50))
  expect(ended).toBe(false)
  shown.remove(MUCH)
  expect(await wait).toBe('free')
})

it('ends with the stop button, also where it blocks the thread', async () => {
  const { phase, shown } = inFlight()
  shown.add(MUCH)
  Atomics.store(phase, PHASE.interrupted, 1)
  expect(shown.wait()).toBe('interrupted')
  expect(await shown.waitAsync()).toBe('interrupted')
})
