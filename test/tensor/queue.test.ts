import { describe, expect, it } from 'vitest'
import { createRandom } from '../../src/random/seeded-random.js'
import { enqueue, enqueueBeside } from '../../src/tensor/queue.js'

const sleep = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))

describe('the queue of the engine', () => {
  it('runs a job alone, after what came before it and before what comes after it', async () => {
    const random = createRandom(3)
    let alone = 0
    let beside = 0
    let most = 0
    const started: number[] = []
    const wrong: string[] = []
    const jobs = Array.from({ length: 200 }, (_, i) => {
      const exclusive = random() < 0.3
      const fails = random() < 0.2
      const ms = random() * 4
      const job = async (): Promise<number> => {
        // Jobs that run beside others may start in any order between two that run alone.
        started.push(i)
        if (alone > 0 || (exclusive && beside > 0)) wrong.push(`job ${i} is not alone`)
        if (exclusive) alone++
        else most = Math.max(most, ++beside)
        await sleep(ms)
        if (exclusive) alone--
        else beside--
        if (fails) throw new Error(`job ${i}`)
        return i
      }
      return { exclusive, fails, ended: (exclusive ? enqueue : enqueueBeside)(job) }
    })
    const results = await Promise.allSettled(jobs.map(({ ended }) => ended))
    expect(wrong).toEqual([])
    expect(most).toBeGreaterThan(1)
    expect(results.map(({ status }) => status)).toEqual(jobs.map(({ fails }) => (fails ? 'rejected' : 'fulfilled')))
    const place = new Map(started.map((job, at) => [job, at]))
    jobs.forEach(({ exclusive }, i) => {
      if (!exclusive) return
      for (let other = 0; other < jobs.length; other++)
        if (other !== i) expect(place.get(other)! < place.get(i)!).toBe(other < i)
    })
  })
})
