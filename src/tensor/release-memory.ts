import { enqueue } from './queue.js'
import { native } from './runtime.js'

let planned = false

/** Gives the system back what was freed, once the calls that were asked for before have ended. */
export function releaseMemory(): void {
  if (planned) return
  planned = true
  void enqueue(() => {
    planned = false
    native.releaseMemory()
    return Promise.resolve()
  })
}
