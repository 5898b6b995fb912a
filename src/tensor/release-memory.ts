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
