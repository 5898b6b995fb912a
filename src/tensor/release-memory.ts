import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { enqueue } from './queue.js'
import { native } from './runtime.js'

let planned: Promise<void> | undefined

/** Gives the system back what was freed, once the calls that were asked for before have ended. */
export function releaseMemory(): void {
  planned ??= enqueue(() => {
    planned = undefined
    return native.releaseMemory(0)
  })
}

/** A quarter of what is in use may lie idle: to hand out a page anew costs more time than to keep it. */
const IDLE_SHARE = 0.25

/**
 * To be called from time to time in long work: gives back what was freed where it has become much. Calls of many shapes
 * leave holes that the next shape does not fit into.
 */
export function releaseIdleMemory(): Promise<void> {
  return enqueue(() => native.releaseMemory(IDLE_SHARE))
}

/**
 * Gives the system back the JavaScript arrays that nobody holds any more: large weights went through them, and the collector,
 * to which they look small, may leave them there for minutes. It stops everything for some 50 ms.
 */
export function releaseArrays(): Promise<void> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc') as () => void
  collect()
  // What the first one found is freed beside other work; the second one waits for that.
  collect()
  return enqueue(() => native.releaseMemory(0))
}
