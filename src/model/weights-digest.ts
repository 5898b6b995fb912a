import { createHash } from 'node:crypto'
import { setImmediate as nextTurn } from 'node:timers/promises'
import { downloadWeights } from './weights.js'
import type { Weights } from './weights.js'

/** Bytes that are hashed in one go: a few milliseconds, in which nothing else happens. */
const BLOCK = 1 << 22

/**
 * What identifies the weights of a model: SHA-256 of the names, shapes and float32 values of all of them, an adapter's
 * included, its first 12 digits.
 */
export async function weightsDigest({
  weights,
  adapter,
}: {
  weights: Weights
  adapter?: { weights: Weights }
}): Promise<string> {
  const digest = createHash('sha256')
  for (const part of [weights, adapter?.weights ?? {}]) {
    for await (const { key, shape, data } of downloadWeights(part)) {
      digest.update(`${key} [${shape.join()}]\n`)
      const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
      for (let place = 0; place < bytes.length; place += BLOCK) {
        digest.update(bytes.subarray(place, place + BLOCK))
        await nextTurn()
      }
    }
  }
  return digest.digest('hex').slice(0, 12)
}
