import type { FinetuneRecord } from '../schema/finetune-record.js'

/** Where the held-out loss of a fine-tuning was lowest, and how many measurements ago; undefined where it was not measured. */
export function lowestHeldOut(
  records: readonly FinetuneRecord[],
): { step: number; loss: number; since: number } | undefined {
  let best: ReturnType<typeof lowestHeldOut>
  for (const { step, heldOutLoss } of records) {
    if (heldOutLoss === undefined) continue
    if (!best || heldOutLoss < best.loss) best = { step, loss: heldOutLoss, since: 0 }
    else best.since++
  }
  return best
}

/** Whether the run ends because the loss has not fallen for so many measurements (`FinetuneConfig.patience`). */
export const hasLostPatience = (records: readonly FinetuneRecord[], patience: number | undefined): boolean =>
  patience !== undefined && (lowestHeldOut(records)?.since ?? 0) >= patience
