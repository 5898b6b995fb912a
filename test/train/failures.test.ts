// Failed rollouts are no evidence, and a search engine that fails does not go unnoticed.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { updateRecordSchema } from '../../src/schema/record-schemas.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { trainingTable } from '../../src/table/training-table.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { aQuestion, allWeights, tinyPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'failures-'))
const open: LocalModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

const RIGHT = '<answer> Lima</answer>'
const WRONG = '<answer> Rome</answer>'
const SEARCH = '<search> it</search>'

/** Rollouts begin with these messages, in their order, again and again; after a search they are right. */
async function policyThatSays(...messages: string[]): Promise<LocalModel> {
  let rollout = 0
  const policy = await tinyPolicy((turn) => (turn > 0 ? RIGHT : messages[rollout++ % messages.length]!))
  open.push(policy)
  return policy
}

const run = (policy: LocalModel, more: Partial<TrainOptions>): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine: { name: 'broken', search: () => Promise.reject(new Error('HTTP 500')) },
    questions: [aQuestion(1), aQuestion(2)],
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0 },
    updates: 1,
    questionsPerUpdate: 2,
    groupSize: 5,
    learningRate: 1e-3,
    warmupRatio: 0,
    ...more,
  })

describe('failed rollouts', () => {
  it('leave four right answers an advantage of 0: nothing changes, and the record says so', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const policy = await policyThatSays(RIGHT, RIGHT, RIGHT, RIGHT, SEARCH)
    const before = await allWeights(policy)
    const [record] = await run(policy, {})
    expect(record).toMatchObject({
      reward: 1,
      em: 1,
      answered: 1,
      trajectories: 8,
      failed: 2,
      failures: [{ message: 'search: HTTP 500', count: 2 }],
      zeroVarianceGroups: 2,
      skipped: 'no advantage',
      gradNorm: 0,
    })
    expect(await allWeights(policy)).toEqual(before)
    expect(warn).toHaveBeenCalledTimes(1)
    expect(warn.mock.calls[0]![0]).toContain(
      '2 of 10 rollouts failed in update 1, the commonest cause is "search: HTTP 500" (2 times)',
    )
  })

  it('are left out of means and of learning: the rest learns as it would without them', async () => {
    vi.spyOn(console, 'warn').mockReturnValue()
    const some = await policyThatSays(RIGHT, WRONG, RIGHT, WRONG, SEARCH)
    const [withFailures] = await run(some, { questionsPerUpdate: 1 })
    const none = await policyThatSays(RIGHT, WRONG, RIGHT, WRONG)
    const [without] = await run(none, { questionsPerUpdate: 1, groupSize: 4 })
    const same = { failed: 0, failures: 0, searchFaults: 0 }
    expect(untimed([{ ...withFailures!, ...same, failures: [] }])).toEqual(
      untimed([{ ...without!, ...same, failures: [] }]),
    )
    expect(withFailures).toMatchObject({ failed: 1, reward: 0.5 })
    expect(withFailures).not.toHaveProperty('skipped')
    expect(await allWeights(some)).toEqual(await allWeights(none))
  })

  it('warn once a run, and change nothing where all fail, after updates that gave Adam its momentum', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const learning = [RIGHT, WRONG, RIGHT, WRONG, RIGHT, WRONG, RIGHT, WRONG, RIGHT, WRONG]
    const policy = await policyThatSays(...learning, ...new Array<string>(20).fill(SEARCH))
    const seen: Float32Array[][] = [await allWeights(policy)]
    const records = await run(policy, {
      updates: 3,
      maxFailedShare: 1,
      onUpdate: async () => {
        seen.push(await allWeights(policy))
        return undefined
      },
    })
    expect(records.map(({ failed, skipped }) => [failed, skipped])).toEqual([
      [0, undefined],
      [10, 'no trajectory'],
      [10, 'no trajectory'],
    ])
    expect(seen[1]).not.toEqual(seen[0])
    expect(seen[2]).toEqual(seen[1])
    expect(seen[3]).toEqual(seen[1])
    expect(warn).toHaveBeenCalledTimes(1)
    for (const record of records) expect(updateRecordSchema.parse(JSON.parse(JSON.stringify(record)))).toEqual(record)
    const table = trainingTable(records)
    expect(table.array('failed')).toEqual([0, 10, 10])
    expect(table.array('reward')).toEqual([0.5, null, null])
    expect(table.array('kl')).toEqual([expect.any(Number), null, null])
  })

  it('stop the run above maxFailedShare, with the commonest cause; what came before is saved', async () => {
    vi.spyOn(console, 'warn').mockReturnValue()
    const saveTo = join(folder, 'broken')
    const learning = [RIGHT, WRONG, RIGHT, WRONG, RIGHT, WRONG, RIGHT, WRONG, RIGHT, WRONG]
    const policy = await policyThatSays(...learning, ...learning.map((message, i) => (i < 6 ? SEARCH : message)))
    await expect(run(policy, { updates: 3, saveTo })).rejects.toThrow(
      'train: at most a share of 0.5 of the rollouts may fail (maxFailedShare), but 6 of 10 rollouts failed in update 2, ' +
        'the commonest cause is "search: HTTP 500" (6 times); mend what fails, or raise maxFailedShare',
    )
    expect(readFileSync(join(saveTo, 'updates.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1)

    const first = join(folder, 'first')
    await expect(run(await policyThatSays(SEARCH), { saveTo: first })).rejects.toThrow('10 of 10 rollouts failed')
    expect(existsSync(first)).toBe(false)
  })

  it('are also those whose reward throws or is no number', async () => {
    vi.spyOn(console, 'warn').mockReturnValue()
    let asked = 0
    const [record] = await run(await policyThatSays(RIGHT, WRONG), {
      reward({ answer }) {
        asked++
        if (asked === 1) throw new Error('no judge')
        return asked === 2 ? NaN : answer === 'Lima' ? 1 : 0
      },
    })
    expect(record).toMatchObject({
      failed: 2,
      trajectories: 8,
      failures: [
        { message: 'reward: no judge', count: 1 },
        { message: 'reward: must be a finite number, got NaN', count: 1 },
      ],
    })
    expect(record!.reward).toBeCloseTo(0.5, 10)
  })

  it('are also those whose async reward rejects, or gives something else in the end', async () => {
    vi.spyOn(console, 'warn').mockReturnValue()
    const answers: (() => unknown)[] = [
      () => Promise.reject(new Error('HTTP 429')),
      () => Promise.resolve('1'),
      () => Promise.resolve(undefined),
      () => new Promise((resolve) => setTimeout(resolve, 20, Infinity)),
      // Not an error, as libraries reject now and then.
      // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors
      () => Promise.reject('no judge'),
    ]
    let asked = 0
    const [record] = await run(await policyThatSays(RIGHT, WRONG), {
      reward: async ({ answer }) => {
        const fault = answers[asked++]
        await new Promise((resolve) => setTimeout(resolve, 5))
        return fault ? ((await fault()) as number) : answer === 'Lima' ? 1 : 0
      },
    })
    expect(record).toMatchObject({ failed: 5, trajectories: 5 })
    expect(record!.failures!.map(({ message }) => message).sort()).toEqual([
      'reward: HTTP 429',
      'reward: must be a finite number, got 1',
      'reward: must be a finite number, got Infinity',
      'reward: must be a finite number, got undefined',
      'reward: no judge',
    ])
  })
})

describe('a reward', () => {
  it('that changes the trajectory which it is shown changes nothing of the run', async () => {
    const reward = ({ answer }: Trajectory): number => (answer === 'Lima' ? 1 : 0)
    const honest = await policyThatSays(RIGHT, WRONG)
    const meddling = await policyThatSays(RIGHT, WRONG)
    await run(honest, { reward })
    await run(meddling, {
      reward(trajectory) {
        const worth = reward(trajectory)
        trajectory.ids.fill(0)
        trajectory.lossMask.length = 0
        trajectory.answer = null
        return worth
      },
    })
    expect(await allWeights(meddling)).toEqual(await allWeights(honest))
  })

  it('of several parts is their weighted sum, and the record and the table have the means of each', async () => {
    const [record] = await run(await policyThatSays(RIGHT, WRONG), { reward: { em: 1, format: 0.5 } })
    expect(record).toMatchObject({ reward: 1, rewardParts: { em: 0.5, format: 0.5 } })
    expect(updateRecordSchema.parse(record)).toEqual(record)
    expect(trainingTable([record!]).array('reward.format')).toEqual([0.5])
    const [plain] = await run(await policyThatSays(RIGHT, WRONG), {})
    expect(plain).not.toHaveProperty('rewardParts')
  })

  it('that waits does not hold up a stop', async () => {
    const stop = new AbortController()
    let asked = 0
    let stopped = 0
    const running = run(await policyThatSays(RIGHT, WRONG), {
      signal: stop.signal,
      reward: (_, { signal }) => {
        signal!.addEventListener('abort', () => stopped++)
        if (++asked === 10) setTimeout(() => stop.abort(), 5)
        return new Promise(() => undefined)
      },
    })
    await expect(running).rejects.toThrow('Stopped in update 1 of 1')
    expect([asked, stopped]).toEqual([10, 10])
  })
})
