// What a run writes beside its saves: trajectories, the best policy, TensorBoard events, and what it was made of.
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, test, vi } from 'vitest'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { readCheckpoint } from '../../src/model/checkpoint.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { train } from '../../src/train/train.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { readTrajectories } from '../../src/train/trajectory-files.js'
import { eventFileIn, stepsIn } from './kill-training.js'
import { aQuestion, allWeights, alternatingPolicy } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'outputs-'))
const open: LocalModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

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
    progress: false,
    ...more,
  })

const warnings = (): string[] => {
  const said: string[] = []
  vi.spyOn(console, 'warn').mockImplementation((text: string) => void said.push(text))
  return said
}

interface Saved {
  best?: { metric: string; value: number; update: number }
  sessions: Record<string, unknown>[]
  model: { name: string; digest: string }
  fault?: string
}
const runFile = (place: string): Saved => JSON.parse(readFileSync(join(place, 'run.json'), 'utf8')) as Saved

async function firstWeights(place: string): Promise<Float32Array> {
  for await (const { data } of (await readCheckpoint(place)).tensors()) return data
  throw new Error('no weights')
}

const stopAfter =
  (update: number): ((record: UpdateRecord) => undefined) =>
  (record) => {
    if (record.update === update) throw new Error('the end for now')
    return undefined
  }

describe.each(['jsonl', 'parquet'] as const)('trajectories as %s', (trajectories) => {
  it('are all of the run, as onUpdate saw them, without gaps or duplicates after a resumption', async () => {
    const saveTo = join(folder, trajectories)
    const seen: Trajectory[][] = []
    const onUpdate = (record: UpdateRecord, all: readonly Trajectory[]): undefined => {
      seen[record.update - 1] = structuredClone(all) as Trajectory[]
      // What the user's code does with them is no part of the run.
      all.forEach((one) => one.ids.splice(0))
      return stopAfter(3)(record)
    }
    const options = { saveTo, trajectories, saveEvery: { updates: 2 }, onUpdate }
    await expect(run(await load(), options)).rejects.toThrow('the end for now')
    expect(runFile(saveTo).fault).toBe('the end for now')
    // As a process leaves it that is killed after two more updates.
    writeFileSync(join(saveTo, 'trajectories', `000004.${trajectories}`), 'later')
    writeFileSync(join(saveTo, 'trajectories', '000005.jsonl'), 'later')
    await run(await load(), { ...options, resume: true })
    expect(runFile(saveTo).fault).toBeUndefined()
    expect(readdirSync(join(saveTo, 'trajectories'))).toEqual([1, 2, 3, 4, 5].map((n) => `00000${n}.${trajectories}`))
    for (const [i, expected] of seen.entries()) {
      const saved = await readTrajectories(saveTo, i + 1)
      expect(saved.map(({ update, rollout }) => [update, rollout])).toEqual([0, 1, 2, 3].map((n) => [i + 1, n]))
      expect(saved.map(({ update: _, rollout: __, reward: ___, ...trajectory }) => trajectory)).toEqual(expected)
      expect(saved.map(({ reward, answer }) => reward === (answer === 'Lima' ? 1 : 0))).toEqual([
        true,
        true,
        true,
        true,
      ])
    }
    await expect(readTrajectories(saveTo, 6)).rejects.toThrow('has none of update 6')
  })

  it('of a run that is replaced do not stay', async () => {
    const saveTo = join(folder, trajectories)
    const [good, replay] = ['good', 'replay'].map((name) => join(saveTo, name))
    for (const name of [good!, replay!]) {
      mkdirSync(name)
      writeFileSync(join(name, 'of-before'), '')
    }
    await run(await load(), { saveTo, overwrite: true, updates: 2 })
    for (const name of ['trajectories', 'good', 'replay']) {
      expect(existsSync(join(saveTo, name))).toBe(false)
      expect(existsSync(join(saveTo, 'previous', name))).toBe(true)
    }
  })

  it('hold failed rollouts and hostile text', async () => {
    const text = 'a "</script>\u0000\ud800 🙂\n\u2028,'
    const questions = [{ ...aQuestion(1), dataset: text, goldAnswers: [text] }]
    const reward = ({ seed }: Trajectory): number => {
      if (seed % 2 === 0) throw new Error(text)
      return seed % 3
    }
    const saveTo = join(folder, `hostile-${trajectories}`)
    await run(await load(), { saveTo, trajectories, questions, reward, maxFailedShare: 1, tensorBoard: true })
    const [first] = await readTrajectories(saveTo, 1)
    const kept = text.replace('\ud800', '\ufffd')
    expect(first!.question).toMatchObject({ dataset: kept, goldAnswers: [kept] })
    const all = (await Promise.all([1, 2, 3, 4, 5].map((update) => readTrajectories(saveTo, update)))).flat()
    const failed = all.filter(({ stopReason }) => stopReason === 'failed')
    expect(failed.length).toBeGreaterThan(0)
    expect(failed.every(({ reward: worth, failure }) => worth === null && failure?.boundary === 'reward')).toBe(true)
  })
})

it('a full disk leaves no gap: what could not be written is written later, and said once', async () => {
  const said = warnings()
  const saveTo = join(folder, 'full')
  const onUpdate = ({ update }: UpdateRecord): undefined => {
    const place = join(saveTo, 'trajectories')
    // A file in the place of the folder: nothing can be written in it.
    if (update === 2) execFileSync('sh', ['-c', `mv ${place} ${place}.away && touch ${place}`])
    if (update === 4) execFileSync('sh', ['-c', `rm ${place} && mv ${place}.away ${place}`])
    return undefined
  }
  await run(await load(), { saveTo, trajectories: 'jsonl', tensorBoard: true, saveEvery: { updates: 1 }, onUpdate })
  expect(readdirSync(join(saveTo, 'trajectories'))).toHaveLength(5)
  expect(stepsIn(eventFileIn(saveTo))).toEqual([1, 2, 3, 4, 5])
  expect(said).toHaveLength(2)
  expect(said[0]).toContain('what update 2 gave could not be written')
  expect(said[1]).toContain('after update 2 the run could not be saved')
})

describe('TensorBoard', () => {
  it('events have each step once, also after a resumption', async () => {
    const saveTo = join(folder, 'events')
    const options: Partial<TrainOptions> = { saveTo, tensorBoard: true, saveEvery: { updates: 2 } }
    const seen: number[][] = []
    const onUpdate = (record: UpdateRecord): undefined => {
      if (record.update > 1) seen.push(stepsIn(eventFileIn(saveTo)))
      return stopAfter(4)(record)
    }
    await expect(run(await load(), { ...options, onUpdate })).rejects.toThrow('the end for now')
    expect(seen).toEqual([[1], [1, 2], [1, 2, 3]])
    const before = eventFileIn(saveTo)
    await run(await load(), { ...options, resume: true })
    expect(stepsIn(eventFileIn(saveTo))).toEqual([1, 2, 3, 4, 5])
    expect(eventFileIn(saveTo)).not.toBe(before)
  })
})

describe('the best policy', () => {
  const scores = [0.2, 0.6, 0.4, 0.6, NaN]
  const onUpdate = ({ update }: UpdateRecord): { score: number | string } => ({ score: scores[update - 1]! })

  it('is kept as it was after its update, over resumptions too', async () => {
    const saveTo = join(folder, 'best')
    const policy = await load()
    const weights: Float32Array[] = []
    const options: Partial<TrainOptions> = { saveTo, keepBest: 'score', saveEvery: { updates: 100 } }
    const stopping = async (record: UpdateRecord): Promise<{ score: number | string }> => {
      weights.push((await allWeights(policy))[0]!)
      stopAfter(3)(record)
      return onUpdate(record)
    }
    await expect(run(policy, { ...options, onUpdate: stopping })).rejects.toThrow('the end for now')
    expect(runFile(saveTo).best).toEqual({ metric: 'score', value: 0.6, update: 2 })
    expect(await firstWeights(join(saveTo, 'best'))).toEqual(weights[1])
    expect(await firstWeights(join(saveTo, 'policy'))).toEqual(weights[2])
    await run(await load(), { ...options, resume: true, onUpdate })
    expect(runFile(saveTo).best).toEqual({ metric: 'score', value: 0.6, update: 2 })
    expect(await firstWeights(join(saveTo, 'best'))).toEqual(weights[1])
  })

  it('may be one of a record’s own fields; a name that no update has is said', async () => {
    const saveTo = join(folder, 'best-kl')
    const records = await run(await load(), { saveTo, keepBest: 'kl', updates: 3 })
    const best = Math.max(...records.map(({ kl }) => kl))
    expect(runFile(saveTo).best).toMatchObject({ metric: 'kl', value: best })
    const said = warnings()
    await run(await load(), { saveTo, overwrite: true, keepBest: 'toString', updates: 2 })
    expect(said.join()).toContain("no update had a finite number 'toString'")
    expect(existsSync(join(saveTo, 'best'))).toBe(false)
  })

  it('that is damaged is said, and does not stop the run', async () => {
    const saveTo = join(folder, 'best-damaged')
    const options: Partial<TrainOptions> = { saveTo, keepBest: 'score', saveEvery: { updates: 1 } }
    await expect(
      run(await load(), { ...options, onUpdate: (record) => (stopAfter(3)(record), onUpdate(record)) }),
    ).rejects.toThrow()
    rmSync(join(saveTo, 'best', 'model.safetensors'))
    const said = warnings()
    await run(await load(), { ...options, resume: true, onUpdate })
    expect(said.join()).toContain('the best policy, of update 2, is damaged')
    expect(runFile(saveTo).best).toEqual({ metric: 'score', value: 0.6, update: 4 })
  })
})

describe('run.json', () => {
  it('says what the run was made of, each process of it, and nothing of user or host', async () => {
    const saveTo = join(folder, 'manifest')
    await expect(run(await load(), { saveTo, onUpdate: stopAfter(2) })).rejects.toThrow()
    await run(await load(), { saveTo, resume: true })
    const { sessions, model } = runFile(saveTo)
    expect(sessions.map(({ updatesBefore }) => updatesBefore)).toEqual([0, 2])
    expect(sessions[0]).toMatchObject({
      node: process.versions.node,
      zerosearch: '0.1.0',
      machine: { platform: process.platform, cores: cpus().length },
    })
    expect(sessions[0]!['tensorflow']).toMatch(/^2\.\d+/)
    expect(model.digest).toMatch(/^[0-9a-f]{12}$/)
    const other = join(folder, 'manifest-again')
    await run(await load(), { saveTo: other, updates: 1 })
    expect(runFile(other).model.digest).toBe(model.digest)
    const text = readFileSync(join(saveTo, 'run.json'), 'utf8')
    for (const secret of [tmpdir(), process.env['HOSTNAME'], process.env['HOME']].filter(Boolean))
      expect(text).not.toContain(`${secret}/`)
  })

  test.each([
    ['an earlier version', (file: Record<string, unknown>) => ['sessions', 'model'].forEach((key) => delete file[key])],
    [
      'a later version',
      (file: Record<string, unknown>) => Object.assign(file, { model: 5, sessions: 'none', best: [], later: { a: 1 } }),
    ],
  ])('of %s is gone on with', async (name, change) => {
    const saveTo = join(folder, name)
    await expect(run(await load(), { saveTo, onUpdate: stopAfter(2) })).rejects.toThrow()
    const file = JSON.parse(readFileSync(join(saveTo, 'run.json'), 'utf8')) as Record<string, unknown>
    change(file)
    writeFileSync(join(saveTo, 'run.json'), JSON.stringify(file))
    const options: Partial<TrainOptions> = { trajectories: 'jsonl', tensorBoard: true, keepBest: 'em' }
    await run(await load(), { saveTo, resume: true, ...options })
    expect(readdirSync(join(saveTo, 'trajectories'))).toHaveLength(3)
    expect(stepsIn(eventFileIn(saveTo))).toEqual([1, 2, 3, 4, 5])
    expect(existsSync(join(saveTo, 'best', 'config.json'))).toBe(true)
  })
})

it.each([
  ['trajectories', 'jsonl'],
  ['keepBest', 'em'],
  ['tensorBoard', true],
])('%s needs a folder', async (name, value) => {
  await expect(run(await load(), { [name]: value })).rejects.toThrow('saveTo must name a folder')
})

/** A Python with what test/parity/requirements.txt names, where there is one. */
const PYTHON = [process.env['ZEROSEARCH_PARITY_PYTHON'], '.parity/venv/bin/python'].find(
  (python) => python !== undefined && existsSync(python),
)

describe.skipIf(PYTHON === undefined)('TensorBoard, pandas and DuckDB', () => {
  test.each(['jsonl', 'parquet'] as const)(
    'read what a run wrote, with trajectories as %s',
    async (trajectories) => {
      const saveTo = join(folder, `python-${trajectories}`)
      const hostile = { ...aQuestion(1), goldAnswers: ['Lima', 'a "</script>\u0000\ud800 🙂\n\u2028,'] }
      const options: Partial<TrainOptions> = {
        saveTo,
        trajectories,
        tensorBoard: true,
        questions: [hostile, aQuestion(2)],
      }
      const onUpdate = ({ update }: UpdateRecord): Record<string, unknown> => ({
        update2: update * 2,
        none: NaN,
        text: 'a',
      })
      await expect(run(await load(), { ...options, onUpdate: stopAfter(2) })).rejects.toThrow()
      const records = await run(await load(), { ...options, onUpdate, resume: true })
      const text = execFileSync(PYTHON!, [join(import.meta.dirname, 'read-outputs.py'), saveTo], { encoding: 'utf8' })
      const found = JSON.parse(text.replaceAll(/\bNaN\b/g, 'null')) as {
        scalars: Record<string, [number, number, number][]>
        updates: number[]
        reward: number[]
        pandas: [number, number, number[]][]
        duckdb: [number, number, number[], number, string, number][]
        records: number[]
      }
      const values = (tag: string): [number, number][] => found.scalars[tag]!.map(([step, value]) => [step, value])
      expect(values('train/reward')).toEqual(records.map(({ update, reward }) => [update, Math.fround(reward)]))
      expect(values('train/kl')).toEqual(records.map(({ update, kl }) => [update, Math.fround(kl)]))
      expect(values('metrics/update2')).toEqual([
        [3, 6],
        [4, 8],
        [5, 10],
      ])
      expect(found.scalars['seconds/rollout']).toHaveLength(5)
      const times = found.scalars['train/em']!.map(([, , time]) => time)
      expect(times).toEqual([...times].sort((a, b) => a - b))
      expect(found.updates).toEqual([1, 2, 3, 4, 5])
      expect(found.reward).toEqual(records.map(({ reward }) => reward))
      expect(found.records).toEqual([5, 1, 5])
      const saved = (await Promise.all([1, 2, 3, 4, 5].map((update) => readTrajectories(saveTo, update)))).flat()
      expect(found.pandas).toEqual(saved.map(({ update, rollout, ids }) => [update, rollout, ids]))
      expect(found.duckdb).toEqual(
        saved.map(({ update, rollout, ids, reward, answer }) => [update, rollout, ids, reward, answer, ids.length]),
      )
    },
    120_000,
  )
})
