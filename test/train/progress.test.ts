// A training is one task from its first moment, with what it is at as parts, and its records for the curves.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest'
import { onProgress } from '../../src/host/progress.js'
import type { Task } from '../../src/host/progress.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { trainSupervised } from '../../src/train/supervised.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { aQuestion, tinyPolicy } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'progress-'))
let policy: LocalModel
let told: string[]
let parts: Set<string>
let outermost: Set<Task>
let stop: () => void

beforeAll(async () => {
  let rollout = 0
  policy = await tinyPolicy(() => `<answer> ${rollout++ % 2 ? 'Lima' : 'Rome'}</answer>`)
})
afterAll(() => {
  policy.dispose()
  rmSync(folder, { recursive: true })
})
beforeEach(() => {
  told = []
  parts = new Set()
  outermost = new Set()
  stop = onProgress((task) => {
    outermost.add(task)
    for (const part of task.parts) {
      parts.add(`${part.title}${part.unit ? ` ${part.total} ${part.unit}` : ''}`)
      for (const { title } of part.parts) parts.add(title)
    }
    told.push(`${task.title} ${task.done - task.doneBefore} ${task.done}/${task.total} ${task.state}`)
  })
})
afterEach(() => stop())

const run = (more: Partial<TrainOptions> = {}): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine: { name: 'none', search: () => Promise.resolve([]) },
    questions: [aQuestion(1), aQuestion(2)],
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0 },
    updates: 2,
    questionsPerUpdate: 2,
    groupSize: 4,
    learningRate: 1e-3,
    learningRateSchedule: 'constant',
    warmupRatio: 0,
    ...more,
  })

it('tells of its rollouts, of learning and compiling, and hands on its records; a resumed one counts from where it was', async () => {
  const saveTo = join(folder, 'run')
  const records = await run({ saveTo })
  expect([...outermost].map(({ title }) => title)).toEqual(['train'])
  expect(told[0]).toBe('train 0 0/2 running')
  expect(told.at(-1)).toBe('train 2 2/2 done')
  expect([...parts]).toEqual(expect.arrayContaining(['rollouts 8 questions', 'learning']))
  expect([...parts].some((title) => title.startsWith('compiling '))).toBe(true)
  expect([...outermost][0]!.results).toEqual(records)
  told = []
  await run({ saveTo, resume: true, updates: 3 })
  expect(told.at(-1)).toBe('train 1 3/3 done')
})

it('ends as stopped at once, and is silent where it is told to be', async () => {
  const controller = new AbortController()
  let end = (): void => undefined
  const stopped = run({
    signal: controller.signal,
    onUpdate: () => {
      controller.abort()
      return new Promise((resolve) => (end = () => resolve(undefined)))
    },
  })
  await expect(stopped).rejects.toThrow('Stopped in update 1 of 2')
  expect(told.at(-1)).toBe('train 1 1/2 stopped')
  // What was stopped holds the policy until it has ended.
  end()
  told = []
  const examples = [{ ids: [1, 2, 3], tokenWeights: [0, 1, 1] }]
  const supervised = { policy, steps: 2, batch: () => examples, learningRate: 1e-3 }
  await trainSupervised({ ...supervised, onStep: () => undefined })
  await trainSupervised({ ...supervised, progress: false })
  expect(told).toEqual([])
  await trainSupervised(supervised)
  expect(told.at(-1)).toBe('trainSupervised 2 2/2 done')
})
