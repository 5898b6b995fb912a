import { processSession } from '../host/process-session.js'
import type { RunSession } from '../schema/run-summary.js'
import { native } from '../tensor/runtime.js'

/** What this process is made of, for the run that it works on. */
export async function runSession(updatesBefore: number): Promise<RunSession> {
  return { ...(await processSession()), updatesBefore, tensorflow: native.TF_Version }
}
