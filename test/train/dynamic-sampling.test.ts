// DAPO's dynamic sampling: groups that teach nothing are replaced by those of further questions.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { aQuestion, allWeights, tinyPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'dynamic-'))
const open: LocalModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

/** What it says depends on the question alone: `teaches` says of which the answers differ. */
async function policyWhere(teaches: (question: number) => boolean): Promise<LocalModel> {
  let said = 0
  const policy = await tinyPolicy((_, heard) => {
    const question = Number(/What is (\d+)/.exec(heard)![1])
    return teaches(question) && said++ % 2 ? '<answer> Rome</answer>' : '<answer> Lima</answer>'
  })
  open.push(policy)
  return policy
}

const run = (policy: LocalModel, more: Partial<TrainOptions> = {}): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'dapo',
    policy,
    searchEngine: { name: 'none', search: () => Promise.resolve([]) },
    questions: Array.from({ length: 12 }, (_, i) => aQuestion(i)),
    protocol: { ...miniProtocol, maxSearches: 0 },
    curriculum: { start: 0, end: 0 },
    updates: 4,
    questionsPerUpdate: 3,
    groupSize: 2,
    learningRate: 1e-3,
    ...more,
  })

const everyThird = (question: number): boolean => question % 3 === 0

test('a batch is full of groups that teach, and the record says how many were drawn', async () => {
  const asked: string[][] = []
  const onUpdate = (_: UpdateRecord, trajectories: readonly Trajectory[]): undefined =>
    void asked.push(trajectories.map(({ question }) => question.id))
  const records = await run(await policyWhere(everyThird), { onUpdate })
  for (const [i, { groups, zeroVarianceGroups, samplingRounds, trajectories, skipped }] of records.entries()) {
    expect(groups! - zeroVarianceGroups).toBe(3)
    expect(samplingRounds).toBeGreaterThan(1)
    expect([trajectories, asked[i]!.length]).toEqual([2 * groups!, 2 * groups!])
    expect(skipped).toBeUndefined()
  }
  // Each question once before any is asked again, over updates.
  expect(new Set(asked.flat().slice(0, 24)).size).toBe(12)
})

test('seeds of all rollouts of an update differ', async () => {
  const seeds: number[] = []
  await run(await policyWhere(everyThird), {
    updates: 1,
    onUpdate: (_, trajectories) => void seeds.push(...trajectories.map(({ seed }) => seed)),
  })
  expect(new Set(seeds).size).toBe(seeds.length)
  expect(seeds.length).toBeGreaterThan(6)
})

test('a resumed run asks what the unbroken one asks, bit for bit', async () => {
  const straight = await policyWhere(everyThird)
  const expected = await run(straight)
  const saveTo = join(folder, 'resumed')
  const stop = {
    onUpdate: ({ update }: UpdateRecord) => {
      if (update === 2) throw new Error('stopped')
      return undefined
    },
  }
  await expect(run(await policyWhere(everyThird), { saveTo, ...stop })).rejects.toThrow('stopped')
  const resumed = await policyWhere(everyThird)
  expect(untimed(await run(resumed, { saveTo, resume: true }))).toEqual(untimed(expected))
  expect(await allWeights(resumed)).toEqual(await allWeights(straight))
})

test('rounds end at their limit: the batch is smaller then, and where no group teaches, the update is skipped', async () => {
  const [small] = await run(await policyWhere((question) => question === 0), { updates: 1, samplingRounds: 4 })
  expect(small).toMatchObject({ samplingRounds: 4 })
  expect(small!.skipped).toBeUndefined()
  const [none] = await run(await policyWhere(() => false), { updates: 1, samplingRounds: 3 })
  expect(none).toMatchObject({ samplingRounds: 3, groups: 9, zeroVarianceShare: 1, skipped: 'no advantage' })
})

test('GRPO draws once by default; where all fails, nothing is asked again', async () => {
  const [record] = await run(await policyWhere(() => false), { algorithm: 'grpo', updates: 1 })
  expect(record).toMatchObject({ groups: 3, zeroVarianceGroups: 3 })
  expect(record).not.toHaveProperty('samplingRounds')
  let asked = 0
  const failing = run(await policyWhere(() => true), {
    updates: 1,
    reward: () => {
      asked++
      return NaN
    },
  })
  await expect(failing).rejects.toThrow('6 of 6 rollouts failed')
  expect(asked).toBe(6)
})
