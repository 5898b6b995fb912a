// A run is saved while it goes on, in two generations: whatever ends its process, it goes on as if it had never stopped.
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, afterEach, beforeAll, describe, expect, it, test, vi } from 'vitest'
import { miniProtocol } from '../../src/mini/protocol.js'
import { trainingCurves } from '../../src/plot/training-curves.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { createRandom } from '../../src/random/seeded-random.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { trainingTable } from '../../src/table/training-table.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { runIn, startTrainee, trainWithKills } from './kill-training.js'
import { aQuestion, allWeights, alternatingPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'saving-'))
const open: LocalModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

/** Right and wrong by turns, begun anew for each policy. */
async function load(): Promise<LocalModel> {
  const policy = await alternatingPolicy()
  open.push(policy)
  return policy
}

const run = (policy: LocalModel, more: Partial<TrainOptions>): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine: { name: 'none', search: () => Promise.resolve([]) },
    questions: [aQuestion(1), aQuestion(2), aQuestion(3)],
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0.5 },
    updates: 5,
    questionsPerUpdate: 2,
    groupSize: 2,
    learningRate: 1e-3,
    ...more,
  })

/** Number of updates in a saved run; 0 where there is none. */
const saved = (place: string): number =>
  existsSync(place) ? readFileSync(join(place, 'updates.jsonl'), 'utf8').trim().split('\n').length : 0

/** A policy that cannot be saved as long as this is said. */
const withFullDisk = (policy: LocalModel, isFull: () => boolean): LocalModel => ({
  ...policy,
  save: (...args) =>
    isFull()
      ? Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }))
      : policy.save(...args),
})

const warnings = (): string[] => {
  const said: string[] = []
  vi.spyOn(console, 'warn').mockImplementation((text: string) => void said.push(text))
  return said
}

let straight: { records: UpdateRecord[]; weights: Float32Array[] }
beforeAll(async () => {
  const policy = await load()
  straight = { records: await run(policy, {}), weights: await allWeights(policy) }
})

async function expectStraight(policy: LocalModel, records: readonly UpdateRecord[]): Promise<void> {
  expect(untimed(records)).toEqual(untimed(straight.records))
  expect(await allWeights(policy)).toEqual(straight.weights)
}

describe('while a run goes on', () => {
  test.each<[TrainOptions['saveEvery'], number[]]>([
    [{ updates: 1 }, [0, 1, 2, 3, 4]],
    [{ minutes: 0 }, [0, 1, 2, 3, 4]],
    [{ updates: 2 }, [0, 0, 2, 2, 4]],
    [undefined, [0, 0, 0, 0, 0]],
  ])('it is saved every %o, and computes what it does without', async (saveEvery, expected) => {
    const saveTo = join(folder, `every-${JSON.stringify(saveEvery)}`)
    const policy = await load()
    const found: number[] = []
    const onUpdate = (): undefined => void found.push(saved(saveTo))
    const records = await run(policy, { saveTo, onUpdate, ...(saveEvery && { saveEvery }) })
    expect(found).toEqual(expected)
    expect(saved(saveTo)).toBe(5)
    expect(saved(join(saveTo, 'previous'))).toBe(expected[4])
    expect(existsSync(join(saveTo, 'previous', 'previous'))).toBe(false)
    await expectStraight(policy, records)
  })

  it('a full disk is said once, and the next save is whole', async () => {
    const said = warnings()
    const saveTo = join(folder, 'full-for-a-while')
    let update = 0
    const policy = withFullDisk(await load(), () => update >= 2 && update <= 3)
    const onUpdate = (record: UpdateRecord): undefined => void (update = record.update)
    await expectStraight(policy, await run(policy, { saveTo, saveEvery: { updates: 1 }, onUpdate }))
    expect(said).toHaveLength(1)
    expect(said[0]).toMatch(
      /^train: after update 2 the run could not be saved: .*no space left on the disk.*has the run as it was after update 1; training goes on/,
    )
    expect([saved(saveTo), saved(join(saveTo, 'previous'))]).toEqual([5, 4])
    expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
  })

  it('a stop during a save rejects at once, and the run is saved and goes on', async () => {
    const saveTo = join(folder, 'stopped-while-saving')
    const stop = new AbortController()
    const policy = await load()
    let saves = 0
    const slow: LocalModel = {
      ...policy,
      async save(...args) {
        if (++saves === 2) stop.abort()
        await sleep(200)
        return policy.save(...args)
      },
    }
    const stopped = run(slow, { saveTo, saveEvery: { updates: 1 }, signal: stop.signal })
    await expect(stopped).rejects.toThrow('Stopped in update 2 of 5.')
    expect(saved(saveTo)).toBe(1)
    const fresh = await load()
    await expectStraight(fresh, await run(fresh, { saveTo, resume: true }))
    expect(saves).toBe(2)
  })
})

describe('at its end', () => {
  it('a run that cannot be saved says what is saved, and where the rest is', async () => {
    warnings()
    const saveTo = join(folder, 'full')
    let update = 0
    const policy = withFullDisk(await load(), () => update >= 3)
    const onUpdate = (record: UpdateRecord): undefined => void (update = record.update)
    await expect(run(policy, { saveTo, saveEvery: { updates: 1 }, onUpdate })).rejects.toThrow(
      /train: the run could not be saved after its last update, 5: .*no space left.*full has the run as it was after update 2; the policy in memory has learned from all of them/,
    )
    update = 0
    const fresh = await load()
    await expectStraight(fresh, await run(fresh, { saveTo, resume: true }))
  })

  it('an error of onUpdate is told beside that of the disk', async () => {
    const policy = withFullDisk(await load(), () => true)
    const onUpdate = (): never => {
      throw new Error('a fault of the notebook')
    }
    await expect(run(policy, { saveTo: join(folder, 'both'), onUpdate })).rejects.toThrow(
      /ended by an error \(a fault of the notebook\), and it could not be saved .*no update of it has been saved/,
    )
  })

  it('a resumed run that made no update leaves the folder as it is', async () => {
    const saveTo = join(folder, 'nothing-more')
    await run(await load(), { saveTo })
    const policy = withFullDisk(await load(), () => expect.fail('it was saved again'))
    await expectStraight(policy, await run(policy, { saveTo, resume: true }))
  })
})

describe('a damaged save', () => {
  const good = join(folder, 'good')
  beforeAll(async () => {
    await run(await load(), { saveTo: good, saveEvery: { updates: 1 } })
  })

  const half = (place: string, name: string): void =>
    truncateSync(join(place, name), readFileSync(join(place, name)).length >> 1)
  const DAMAGES: [string, (place: string) => void][] = [
    ['weights cut off', (place) => half(place, join('policy', 'model.safetensors'))],
    ['optimizer cut off', (place) => half(place, 'optimizer.safetensors')],
    ['reference missing', (place) => rmSync(join(place, 'reference.safetensors'))],
    ['policy missing', (place) => rmSync(join(place, 'policy'), { recursive: true })],
    ['run.json cut off', (place) => half(place, 'run.json')],
    ['run.json empty', (place) => writeFileSync(join(place, 'run.json'), '')],
    ['a record cut off', (place) => half(place, 'updates.jsonl')],
    ['no records', (place) => writeFileSync(join(place, 'updates.jsonl'), '')],
  ]

  test.each(DAMAGES)('%s: the run goes on from the one before, and says so', async (name, damage) => {
    const said = warnings()
    const saveTo = join(folder, name)
    cpSync(good, saveTo, { recursive: true })
    damage(saveTo)
    const policy = await load()
    await expectStraight(policy, await run(policy, { saveTo, resume: true }))
    expect(said.join()).toMatch(
      /^train: the newest save of the run in .* is damaged \(.*goes on from the one before, after update 4$/,
    )
    expect(saved(saveTo)).toBe(5)
  })

  it('is an error where the one before is damaged too; the policy is as it was', async () => {
    const saveTo = join(folder, 'lost')
    cpSync(good, saveTo, { recursive: true })
    half(saveTo, 'optimizer.safetensors')
    half(join(saveTo, 'previous'), 'run.json')
    const policy = await load()
    const before = await allWeights(policy)
    await expect(run(policy, { saveTo, resume: true })).rejects.toThrow('optimizer.safetensors')
    expect(await allWeights(policy)).toEqual(before)
  })
})

describe('metrics', () => {
  const hostile = (): Record<string, unknown> => {
    const circle: Record<string, unknown> = { name: 'circle' }
    circle['self'] = circle
    return {
      ...{ validationEm: NaN, percent: 87, worst: -Infinity, none: undefined, nothing: null, zero: -0 },
      ...{ tokens: 2n ** 70n, when: new Date(5), byKind: new Map([['a', NaN]]), nested: { list: [1, { deep: NaN }] } },
      ...{ circle, again: () => 1, note: '<b>"\u0000🙂', loss: 'mine', update: -1, ['__proto__']: 1, $type: 'number' },
      get broken() {
        throw new Error('no')
      },
    }
  }

  it('are kept whatever they are, do not touch the record, and are the same after a resumption', async () => {
    const saveTo = join(folder, 'metrics')
    const onUpdate = (record: UpdateRecord): Record<string, unknown> => {
      Object.assign(record, { loss: NaN, reward: 87n, failures: record })
      return hostile()
    }
    const policy = await load()
    const records = await run(policy, { saveTo, onUpdate })
    await expectStraight(
      policy,
      records.map(({ metrics: _, ...record }) => record),
    )
    const metrics = records[4]!.metrics!
    expect(metrics).toMatchObject({ validationEm: NaN, percent: 87, worst: -Infinity, tokens: 2n ** 70n, loss: 'mine' })
    expect(metrics['nested']).toEqual({ list: [1, { deep: NaN }] })
    expect(Object.hasOwn(metrics, 'none')).toBe(true)
    expect(metrics['again']).toContain('Function')
    const resumed = await run(await load(), { saveTo, resume: true })
    expect(resumed).toEqual(records)
  })

  it('have columns where they are single values, and cannot break table or curves', async () => {
    const policy = await load()
    const records = await run(policy, {
      updates: 2,
      onUpdate: ({ update }) => (update === 1 ? hostile() : { validationEm: 87, percent: 'most' }),
    })
    const table = trainingTable(records)
    expect(table.array('validationEm')).toEqual([NaN, 87])
    expect(table.array('percent')).toEqual([87, 'most'])
    expect(table.array('tokens')).toEqual([2 ** 70, null])
    expect(table.array('update')).toEqual([1, 2])
    expect(table.array('metrics.loss')).toEqual(['mine', null])
    expect(table.columnNames()).not.toContain('nested')
    const traces = trainingCurves(table).data as { name: string; y: unknown[] }[]
    expect(traces.find(({ name }) => name === 'EM, validation')!.y).toEqual([null, 87])
  })

  test.each([[5], ['text'], [null], [[1, 2]], [() => 1]])('are none where onUpdate returns %o', async (returned) => {
    const records = await run(await load(), { updates: 1, onUpdate: () => returned as never })
    expect(records[0]).not.toHaveProperty('metrics')
  })
})

describe('a killed process', () => {
  it('loses nothing but time, whenever it is killed', async () => {
    const training = { model: 'tiny', updates: 5, span: 800 } as const
    await trainWithKills(join(folder, 'unbroken'), training, 0, Math.random)
    const kills = await trainWithKills(join(folder, 'killed'), training, 3, createRandom(1))
    expect(kills).toBeGreaterThan(0)
    expect(runIn(join(folder, 'killed'))).toEqual(runIn(join(folder, 'unbroken')))
  }, 300_000)

  it('keeps others away from its folder until it has ended', async () => {
    const saveTo = join(folder, 'shared')
    const trainee = startTrainee({ model: 'tiny', updates: 100_000 }, saveTo)
    while (!existsSync(saveTo)) await sleep(20)
    const resumed = run(await load(), { saveTo, resume: true })
    await expect(resumed).rejects.toThrow(/is being written by process \d+; wait for its end/)
    trainee.child.kill('SIGKILL')
    await trainee.ended
    await expect(run(await load(), { saveTo, resume: true })).rejects.toThrow('a resumed run keeps its settings')
  })
})
