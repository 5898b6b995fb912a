// A run in which a collapse begins: what is said, and what each answer to it does. What the policy says is a script, so that
// when it collapses is known; its weights are really trained.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, expect, test, vi } from 'vitest'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { aQuestion, allWeights, tinyPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'collapse-'))
const open: LocalModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

const PER_UPDATE = 4

/** Right and wrong by turns; from some update until another it babbles, and gives no answer. */
async function collapsing(from: number, until: number, begin = 1): Promise<LocalModel> {
  let rollout = (begin - 1) * PER_UPDATE
  const policy = await tinyPolicy((turn) => {
    if (turn === 0) rollout++
    const update = Math.ceil(rollout / PER_UPDATE)
    if (update >= from && update < until) return rollout % 2 ? 'hm' : '<answer> Rome</answer>'
    return rollout % 2 ? '<answer> Lima</answer>' : '<answer> Rome</answer>'
  })
  open.push(policy)
  return policy
}

const run = (policy: LocalModel, more: Partial<TrainOptions> = {}): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine: { name: 'none', search: () => Promise.resolve([]) },
    questions: [aQuestion(1), aQuestion(2), aQuestion(3)],
    protocol: { ...miniProtocol, maxSearches: 0 },
    curriculum: { start: 0, end: 0 },
    updates: 12,
    questionsPerUpdate: 2,
    groupSize: 2,
    // The words are a script's, so that a divergence would buy nothing: it is to stay small.
    learningRate: 1e-5,
    warmupRatio: 0,
    reward: ({ answer }) => (answer === 'Lima' ? 1 : answer === null ? 0.5 : 0),
    ...more,
  })

const said = (): string[] => {
  const texts: string[] = []
  vi.spyOn(console, 'warn').mockImplementation((text: string) => void texts.push(text))
  return texts
}
const signs = (records: readonly UpdateRecord[]): number[] =>
  records.flatMap(({ update, warnings }) => (warnings?.some(({ metric }) => metric === 'answered') ? [update] : []))

test('warn: each sign is said once, is in the records as long as it lasts, and changes nothing', async () => {
  const texts = said()
  const records = await run(await collapsing(7, 10))
  expect(signs(records)).toEqual([8, 9, 10])
  expect(records[7]!.warnings!.find(({ metric }) => metric === 'answered')).toMatchObject({
    since: 7,
    before: 1,
    message: expect.stringMatching(
      /^fewer trajectories give an answer: answered is 0\.667 in the last 3 updates, was 1;/,
    ) as string,
    remedy: expect.stringContaining('learningRate') as string,
  })
  expect(texts.filter((text) => text.includes('answered is'))).toHaveLength(1)
})

test('pause: the run stops after the update, saved; a resumed one goes on and does not pause for the same again', async () => {
  said()
  const saveTo = join(folder, 'paused')
  const paused = run(await collapsing(7, 100), { saveTo, onCollapse: 'pause' })
  await expect(paused).rejects.toThrow(
    /^Paused after update 8 of 12: .*fewer trajectories give an answer.*saved in .*`resume: true` goes on/,
  )
  await expect(paused).rejects.toMatchObject({ name: 'TrainingStopped' })
  const saved = (): string[] => readFileSync(join(saveTo, 'updates.jsonl'), 'utf8').trim().split('\n')
  expect(saved()).toHaveLength(8)
  const records = await run(await collapsing(7, 100, 9), { saveTo, onCollapse: 'pause', resume: true })
  expect(records).toHaveLength(12)
  const straight = await run(await collapsing(7, 100))
  expect(untimed(records)).toEqual(untimed(straight))
})

test('rollback: weights and Adam are those of the last good checkpoint, the learning rate is half, and a killed run does the same', async () => {
  const texts = said()
  const saveTo = join(folder, 'rolled')
  const policy = await collapsing(7, 9)
  const states: Float32Array[][] = []
  const options: Partial<TrainOptions> = { onCollapse: 'rollback', saveTo }
  const records = await run(policy, {
    ...options,
    onUpdate: async ({ update }) => {
      states[update] = await allWeights(policy)
      return undefined
    },
  })
  expect(records).toHaveLength(12)
  expect(records[7]).toMatchObject({ update: 8, rolledBackTo: 6, learningRate: 1e-5 })
  expect(records.slice(8).map(({ learningRate }) => learningRate)).toEqual([5e-6, 5e-6, 5e-6, 5e-6])
  expect(records.slice(8).some(({ warnings, rolledBackTo }) => warnings ?? rolledBackTo)).toBe(false)
  expect(texts.join('\n')).toContain('again as they were after update 6')
  expect(readdirSync(join(saveTo, 'good')).sort()).toEqual(['12', '6', '9'])

  // The run of another process that saw the same, stopped right after it had gone back.
  const other = join(folder, 'rolled-and-stopped')
  const stopping = new AbortController()
  const first = await collapsing(7, 9)
  await run(first, {
    ...options,
    saveTo: other,
    saveEvery: { updates: 1 },
    signal: stopping.signal,
    onUpdate: ({ update }) => void (update === 9 && stopping.abort()),
  }).catch(() => undefined)
  const resumed = await collapsing(7, 9, 10)
  const again = await run(resumed, { ...options, saveTo: other, resume: true })
  expect(untimed(again)).toEqual(untimed(records))
  expect(await allWeights(resumed)).toEqual(await allWeights(policy))
  expect(states[8]).not.toEqual(states[6])
})

test('rollback: with nothing to go back to, or too often, the run pauses', async () => {
  said()
  const saveTo = join(folder, 'often')
  const often = run(await collapsing(4, 100), { onCollapse: 'rollback', maxRollbacks: 1, saveTo })
  await expect(often).rejects.toThrow(/it went back 1 times already \(maxRollbacks\)/)
  expect(existsSync(join(saveTo, 'run.json'))).toBe(true)
  await expect(run(open[0]!, { onCollapse: 'rollback' })).rejects.toThrow(
    "train: saveTo must name a folder for the checkpoints of onCollapse: 'rollback'",
  )
})
