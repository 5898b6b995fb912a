// Saved runs side by side: their list, what differs, where two first part; whatever lies in their folders.
import { execFileSync } from 'node:child_process'
import {
  chmodSync,
  cpSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import { placesOf } from '../../src/file/folder-states.js'
import { takeLock } from '../../src/file/lock.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import type { RunSummary } from '../../src/schema/run-summary.js'
import type { TextExample } from '../../src/schema/text-example.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { compareRuns, listRuns } from '../../src/table/run-table.js'
import { diffRuns } from '../../src/train/diff-runs.js'
import { finetune } from '../../src/train/finetune.js'
import type { FinetuneOptions } from '../../src/train/finetune-options.js'
import { train } from '../../src/train/train.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { readTrajectories } from '../../src/train/trajectory-files.js'
import { checkpointFolder } from '../model/fixtures.js'

const folder = mkdtempSync(join(tmpdir(), 'list-'))
afterAll(() => rmSync(folder, { recursive: true }))
const place = (name: string): string => join(folder, name)

const open: LocalModel[] = []
async function run(name: string, more: Partial<TrainOptions> = {}): Promise<void> {
  const policy = await loadModel(miniCheckpoint('policy'), { slots: 4, name: 'tiny' })
  open.push(policy)
  await train({
    algorithm: 'grpo',
    policy,
    searchEngine: await createBm25Engine(await miniDocuments('validation')),
    questions: await miniQuestions('mini-nq', 'train'),
    protocol: { ...miniProtocol, maxTokens: 150 },
    curriculum: { start: 0, end: 0.5 },
    updates: 2,
    questionsPerUpdate: 2,
    groupSize: 2,
    learningRate: 4e-4,
    // Some are better than others, whatever they say.
    reward: ({ ids }) => (ids.reduce((a, b) => a + b, 0) % 7) / 7,
    saveTo: place(name),
    trajectories: 'jsonl',
    keepBest: 'reward',
    progress: false,
    seed: 2,
    ...more,
  })
}

beforeAll(async () => {
  await run('one')
  await run('two', { trajectories: 'parquet' })
  await run('other-seed', { seed: 3 })
  await run('group/longer', { updates: 3, learningRateSchedule: 'linear', keepBest: 'answered' })
  open.forEach((policy) => policy.dispose())
}, 300_000)

describe('two runs', () => {
  it('of one configuration and seed are identical, whatever files they kept', async () => {
    const found = await diffRuns(place('one'), place('two'))
    expect(found).toEqual({
      conclusion: 'The records of 2 updates are identical. They have same settings and inputs.',
      identical: true,
      compared: 2,
      settings: [],
    })
  })

  it('of other seeds part in the first update', async () => {
    const found = await diffRuns(place('one'), place('other-seed'))
    expect(found).toMatchObject({ identical: false, settings: ['seed'] })
    expect(found.record!.update).toBe(1)
    expect(found.record!.values[0]).not.toEqual(found.record!.values[1])
    expect(found.trajectory).toMatchObject({ update: 1, rollout: 0 })
    expect(found.conclusion).toContain('The runs part in update 1: reward is ')
    const { 'text/html': html } = (await toMimeBundle(found)) as Record<string, string>
    expect(html).toContain('The runs part in update 1')
  })

  it('that part late are told apart by the first token that differs', async () => {
    cpSync(place('one'), place('changed'), { recursive: true })
    const all = await readTrajectories(place('one'), 2)
    const [at, value] = [all[1]!.promptLength + 3, all[1]!.ids[all[1]!.promptLength + 3]!]
    all[1]!.ids[at] = value + 1
    writeFileSync(place('changed/trajectories/000002.jsonl'), all.map((one) => `${JSON.stringify(one)}\n`).join(''))
    const hidden = await diffRuns(place('one'), place('changed'))
    expect(hidden).toMatchObject({ identical: false, trajectory: { update: 2, rollout: 1, field: 'ids', token: at } })
    expect(hidden.record).toBeUndefined()
    expect(hidden.trajectory!.values).toEqual([value, value + 1])

    const lines = readFileSync(place('changed/updates.jsonl'), 'utf8').split('\n')
    lines[1] = lines[1]!.replace(/"rolloutSeconds":[^,]*/, '"rolloutSeconds":77').replace(/"maxRatio":/, '"lastRatio":')
    writeFileSync(place('changed/updates.jsonl'), lines.join('\n'))
    const { record } = await diffRuns(place('one'), place('changed'))
    expect(record).toMatchObject({ update: 2, field: 'measures.maxRatio' })
    expect(record!.values[1]).toBeUndefined()
  })

  it('of different lengths are not identical; a folder without a run is said', async () => {
    const found = await diffRuns(place('two'), place('group/longer'))
    expect(found).toMatchObject({ identical: false, compared: 2 })
    expect(found.settings).toEqual(['updates', 'learningRateSchedule'])
    await expect(diffRuns(place('one'), place('none'))).rejects.toThrow(
      `diff runs: there is no saved run in ${place('none')}`,
    )
  })
})

describe('the comparison', () => {
  it('has what differs, and the results', async () => {
    const table = await compareRuns([place('one'), place('group/longer')])
    expect(table.columnNames()).toEqual(['part', 'name', 'one', 'longer'])
    const rows = table.objects() as Record<'part' | 'name' | 'one' | 'longer', string | null>[]
    expect(rows.filter(({ part }) => part !== 'result')).toEqual([
      { part: 'setting', name: 'updates', one: '2', longer: '3' },
      { part: 'setting', name: 'learningRateSchedule', one: 'constant', longer: 'linear' },
    ])
    const results = new Map(rows.slice(2).map(({ name, one, longer }) => [name, [one, longer]]))
    expect(results.get('updates')).toEqual(['2', '3'])
    expect(results.get('best reward')).toEqual([expect.stringMatching(/^0\.\d/), null])
    expect(results.get('seconds')).toEqual([expect.stringMatching(/^\d/), expect.stringMatching(/^\d/)])
  })

  it('of runs of the same name has their paths; of one run alone is refused', async () => {
    mkdirSync(place('again'))
    cpSync(place('one'), place('again/one'), { recursive: true })
    const table = await compareRuns([place('one'), place('again/one')])
    expect(table.columnNames()).toEqual(['part', 'name', place('one'), place('again/one')])
    for (const folders of [[place('one')], [place('one'), place('one')], 'one' as never])
      await expect(compareRuns(folders)).rejects.toThrow('compare runs: there must be a list of at least two folders')
  })
})

describe('the list', () => {
  const list = async (where = folder): Promise<Record<string, RunSummary>> => {
    const rows = (await listRuns(where)).objects() as RunSummary[]
    return Object.fromEntries(rows.map((row) => [row.folder.slice(folder.length + 1), row]))
  }

  it('has every run with its state and result', async () => {
    const runs = await list()
    expect(Object.keys(runs)).toEqual(expect.arrayContaining(['group/longer', 'one', 'other-seed', 'two']))
    expect(runs['one']).toMatchObject({
      ...{ status: 'done', algorithm: 'grpo', model: 'tiny', updates: 2, planned: 2, seed: 2, fault: null },
      ...{ bestMetric: 'reward', best: expect.any(Number) as number, bestUpdate: expect.any(Number) as number },
    })
    expect(runs['one']!.seconds).toBeGreaterThan(0)
    expect(Date.parse(runs['one']!.started!)).toBeGreaterThan(Date.now() - 3_600_000)
    expect(Object.keys(await list(place('one')))).toEqual(['one'])
    await expect(listRuns(place('none'))).rejects.toThrow(`list runs: ${place('none')} must be a folder of runs`)
  })

  it('has broken folders as rows with their fault, and leaves out what is no run', async () => {
    const broken = place('broken')
    const damage: Record<string, (run: string) => void> = {
      half: (run) => truncateSync(join(run, 'run.json'), 20),
      'no-records': (run) => rmSync(join(run, 'updates.jsonl')),
      'cut-records': (run) => truncateSync(join(run, 'updates.jsonl'), 40),
      'no-run': (run) => rmSync(join(run, 'run.json')),
      'a-folder': (run) => (rmSync(join(run, 'run.json')), mkdirSync(join(run, 'run.json'))),
      other: (run) => writeFileSync(join(run, 'run.json'), '[1]'),
      '<img src=x onerror=alert(1)>': (run) => {
        const file = JSON.parse(readFileSync(join(run, 'run.json'), 'utf8')) as Record<string, unknown>
        Object.assign(file, { model: { name: '<script>alert(1)</script>', digest: '' }, fault: '</td><b>|\n' })
        writeFileSync(join(run, 'run.json'), JSON.stringify(file))
      },
    }
    for (const [name, harm] of Object.entries(damage)) {
      cpSync(place('one'), join(broken, name), { recursive: true })
      harm(join(broken, name))
    }
    mkdirSync(join(broken, 'empty'))
    mkdirSync(join(broken, 'locked-away'), { mode: 0o000 })
    cpSync(place('one/policy'), join(broken, 'model'), { recursive: true })
    const killed = placesOf(join(broken, 'killed'))
    cpSync(place('one'), killed.target, { recursive: true })
    renameSync(killed.target, killed.previous)
    const running = await takeLock(placesOf(join(broken, 'begun')).lock, 'test')
    const table = await listRuns(broken)
    await running.release()
    chmodSync(join(broken, 'locked-away'), 0o700)
    const rows = table.objects() as RunSummary[]
    const states = Object.fromEntries(rows.map((row) => [row.folder.slice(broken.length + 1), row.status]))
    expect(states).toMatchObject({
      ...{ half: 'damaged', 'no-records': 'damaged', 'cut-records': 'damaged', 'no-run': 'damaged', other: 'damaged' },
      ...{ 'a-folder': 'damaged', killed: 'done', begun: 'running', '<img src=x onerror=alert(1)>': 'failed' },
    })
    expect(states).not.toHaveProperty('empty')
    expect(states).not.toHaveProperty('model')
    for (const { status, fault } of rows)
      if (status === 'damaged') expect(fault).toMatch(/^(list runs|read updates|EACCES)/)
    const { 'text/html': html } = (await toMimeBundle(table)) as Record<string, string>
    expect(html).not.toMatch(/<img|<script|<b>/)
  })

  it('says what is running', async () => {
    const lock = await takeLock(placesOf(place('one')).lock, 'test')
    expect((await list())['one']!.status).toBe('running')
    await lock.release()
  })
})

it('the command prints the same', () => {
  const main = join(import.meta.dirname, '../../src/cli/main.ts')
  const command = (...args: string[]): { out: string; code: number } => {
    try {
      const out = execFileSync(process.execPath, ['--import', 'tsx', main, 'runs', ...args], { encoding: 'utf8' })
      return { out, code: 0 }
    } catch (error) {
      const { stdout, stderr, status } = error as { stdout: string; stderr: string; status: number }
      return { out: stdout + stderr, code: status }
    }
  }
  expect(command('diff', place('one'), place('two'))).toMatchObject({ code: 0 })
  const differ = command('diff', place('one'), place('other-seed'))
  expect(differ.code).toBe(1)
  expect(differ.out).toContain('The runs part in update 1')
  expect(command('compare', place('one'), place('group/longer')).out).toMatch(
    /\| *setting *\| *updates *\| *2 *\| *3 *\|/,
  )
  expect(command('list', place('group')).out).toContain('longer')
  expect(command('list', place('none'))).toMatchObject({ code: 1 })
}, 60_000)

describe('fine-tuning runs', () => {
  const tune = async (name: string, more: Partial<FinetuneOptions> = {}): Promise<void> => {
    const model = await loadModel(checkpointFolder('qwen2'), { slots: 1, name: 'tiny' })
    const say = (word: string): TextExample => ({ prompt: `Say ${word}.`, completion: word })
    await finetune({
      ...{ model, examples: ['Lima', 'Rome', 'Oslo', 'Bern'].map(say), heldOut: [say('Kyiv')] },
      ...{ batchSize: 2, epochs: 2, saveTo: place(`tuned/${name}`), progress: false, ...more },
    })
    model.dispose()
  }

  it('stand in the list beside those of train, are compared and told apart', async () => {
    mkdirSync(place('tuned'))
    cpSync(place('one'), place('tuned/one'), { recursive: true })
    await tune('first')
    await tune('again', { saveEvery: { steps: 1 } })
    await tune('patient', { epochs: 9, learningRate: 1, evaluateEvery: 1, patience: 1 })
    const rows = (await listRuns(place('tuned'))).objects() as RunSummary[]
    const [again, first, trained, patient] = rows
    expect(trained).toMatchObject({ kind: 'train', algorithm: 'grpo', heldOutLoss: null })
    const done = { kind: 'finetune', algorithm: 'sft', status: 'done', model: 'tiny', fault: null, reward: null }
    expect(first).toMatchObject({ ...done, updates: 4, planned: 4, bestMetric: null, seed: 0 })
    expect(first!.heldOutLoss).toBeGreaterThan(0)
    expect(again).toMatchObject({ ...done, heldOutLoss: first!.heldOutLoss })
    // It ended early, which is its end.
    expect(patient).toMatchObject({ ...done, planned: 18, bestMetric: 'heldOutLoss' })
    expect(patient!.updates).toBeLessThan(18)

    expect(await diffRuns(place('tuned/first'), place('tuned/again'))).toMatchObject({ identical: true, compared: 4 })
    const { conclusion } = await diffRuns(place('tuned/first'), place('tuned/patient'))
    expect(conclusion).toMatch(/^The runs part in step 1: /)
    expect(conclusion).toContain('epochs')
    await expect(diffRuns(place('one'), place('tuned/first'))).rejects.toThrow(
      `diff runs: both must be of train or of finetune; ${place('one')} is of train, ${place('tuned/first')} of finetune`,
    )
    const compared = await compareRuns([place('tuned/first'), place('tuned/patient')])
    const cells = new Map(
      (compared.objects() as Record<string, string>[]).map(({ name, first: one, patient: other }) => [
        name,
        [one, other],
      ]),
    )
    expect(cells.get('epochs')).toEqual(['2', '9'])
    expect(cells.get('steps')).toEqual(['4', String(patient!.updates)])
    expect(cells.has('heldOutLoss')).toBe(true)
    rmSync(place('tuned'), { recursive: true })
  })
})
