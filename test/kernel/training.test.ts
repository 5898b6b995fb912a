// A training run in a cell: the stop button ends the cell, the run is saved, a second cell goes on with it.
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { KernelClient, errorOf, resultText } from './client.js'

const folder = mkdtempSync(join(tmpdir(), 'runs-'))
const marker = join(folder, 'an-update-ended')
let kernel: KernelClient
beforeAll(async () => {
  kernel = await KernelClient.start()
  const { reply } = await kernel.execute(`
    import * as zs from 'zerosearch'
    const policy = await zs.loadModel(zs.mini.checkpoint('policy'), { slots: 32 })
    const questions = await zs.mini.questions('mini-nq', 'train')
    const searchEngine = await zs.createBm25Engine(await zs.mini.documents('validation'))
    let update = 0
    const options = {
      algorithm: 'grpo' as const, policy, searchEngine, questions, protocol: zs.mini.protocol, curriculum: { start: 0, end: 0 },
      updates: 6, questionsPerUpdate: 4, groupSize: 4, saveTo: ${JSON.stringify(join(folder, 'run'))},
      onUpdate: async (record: zs.UpdateRecord) => {
        update = record.update
        await (await import('node:fs/promises')).writeFile(${JSON.stringify(marker)}, '')
        return undefined
      },
    }`)
  expect(reply['status'], JSON.stringify(reply)).toBe('ok')
})
afterAll(() => {
  kernel.stop()
  rmSync(folder, { recursive: true, force: true })
})

it('ends within 1 s, with a word on what goes on; a second cell resumes it', async () => {
  const id = await kernel.send('execute_request', { code: 'await zs.train(options)' })
  await kernel.until(() => existsSync(marker), 60)
  const pressed = performance.now()
  await kernel.interrupt()
  const answer = await kernel.answer(id)
  expect(performance.now() - pressed).toBeLessThan(1000)
  expect(errorOf(answer)).toMatchObject({ ename: 'TrainingStopped' })
  expect(errorOf(answer)!.evalue).toMatch(/^Stopped in update \d of 6\..* `resume: true` goes on with it\.$/)
  expect(resultText(await kernel.execute('const stoppedAfter = update; stoppedAfter < 6'))).toBe('true')
  const resumed = await kernel.execute('(await zs.train({ ...options, resume: true })).map((record) => record.update)')
  expect(resultText(resumed)).toBe('[ 1, 2, 3, 4, 5, 6 ]')
})

it('stops an evaluation, and what it had begun', async () => {
  const id = await kernel.send('execute_request', {
    code: 'await zs.evaluate({ methods: [zs.policyMethod("p", policy, { searchEngine, protocol: zs.mini.protocol })], questions })',
  })
  await new Promise((resolve) => setTimeout(resolve, 1000))
  const pressed = performance.now()
  await kernel.interrupt()
  const answer = await kernel.answer(id)
  expect(performance.now() - pressed).toBeLessThan(1000)
  expect(errorOf(answer)).toMatchObject({ ename: 'Interrupted', evalue: 'The cell was interrupted.' })
  expect(resultText(await kernel.execute('1 + 1'))).toBe('2')
})
