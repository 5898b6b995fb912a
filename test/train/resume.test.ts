// A stopped training: its promise rejects at once, the run is saved, and a resumed one ends as if it had never stopped.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { folderTexts } from '../../src/file/text-files.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { readCheckpoint, writeCheckpoint } from '../../src/model/checkpoint.js'
import type { NamedTensor } from '../../src/model/stored-tensors.js'
import { downloadWeight } from '../../src/model/weights.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { train } from '../../src/train/train.js'
import { TrainingStopped } from '../../src/train/training-stopped.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { alternatingPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'runs-'))
const questions = await miniQuestions('mini-nq', 'train')
const searchEngine = await createBm25Engine(await miniDocuments('validation'))
const open: LocalModel[] = []
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
  rmSync(models, { recursive: true })
})

/** The mini policy's first layer alone: it says nothing that makes sense, but is sampled and trained like any other. */
async function writeOneLayer(target: string): Promise<void> {
  const source = miniCheckpoint('policy')
  const config = JSON.parse(readFileSync(join(source, 'config.json'), 'utf8')) as object
  const tensors: NamedTensor[] = []
  for await (const tensor of (await readCheckpoint(source)).tensors())
    if (!/^layers\.[1-9]/.test(tensor.key)) tensors.push(tensor)
  const files = { 'config.json': JSON.stringify({ ...config, num_hidden_layers: 1 }) }
  await writeCheckpoint(target, { texts: folderTexts(source), files, tensors, dtype: 'float32' })
}

const models = mkdtempSync(join(tmpdir(), 'models-'))
const oneLayer = join(models, 'one-layer')
await writeOneLayer(oneLayer)

async function load(model = oneLayer): Promise<LocalModel> {
  const policy = await loadModel(model, { slots: 4 })
  open.push(policy)
  return policy
}

/** A policy that is as good where it does not matter what it says. */
async function tiny(): Promise<LocalModel> {
  const policy = await alternatingPolicy()
  open.push(policy)
  return policy
}

const run = (policy: LocalModel, more: Partial<TrainOptions>): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine,
    questions,
    protocol: { ...miniProtocol, maxTokens: 150 },
    curriculum: { start: 0, end: 0.5 },
    updates: 3,
    questionsPerUpdate: 2,
    groupSize: 2,
    learningRate: 4e-4,
    klCoef: 0.01,
    // Some are better than others, whatever they say.
    reward: ({ ids }) => (ids.reduce((a, b) => a + b, 0) % 7) / 7,
    seed: 2,
    ...more,
  })

it('goes on from the folder as if it had never stopped, in another process’s weights too', async () => {
  const straight = await load()
  const expected = await run(straight, {})
  expect(expected.every(({ gradNorm, tokensPerTrajectory }) => gradNorm > 0 && tokensPerTrajectory > 50)).toBe(true)

  const saveTo = join(folder, 'stopped')
  const stop = new AbortController()
  const stopped = await load()
  let pressed = 0
  const first = run(stopped, {
    saveTo,
    signal: stop.signal,
    onUpdate: ({ update }) => {
      if (update === 2) setTimeout(() => ((pressed = performance.now()), stop.abort()), 5)
      return undefined
    },
  })
  await expect(first).rejects.toThrow(TrainingStopped)
  expect(performance.now() - pressed).toBeLessThan(1000)
  await expect(first).rejects.toThrow(`The run is then saved in ${saveTo}; \`resume: true\` goes on with it.`)

  // Begun while the first still ends: it waits for the save.
  const fresh = await load()
  const resumed = await run(fresh, { saveTo, resume: true })
  expect(untimed(resumed)).toEqual(untimed(expected))
  for (const key of Object.keys(straight.weights))
    expect(await downloadWeight(fresh.weights[key]!), key).toEqual(await downloadWeight(straight.weights[key]!))

  const saved = await load(join(saveTo, 'policy'))
  expect(await downloadWeight(saved.weights['embed']!)).toEqual(await downloadWeight(straight.weights['embed']!))
  expect(readdirSync(folder).filter((name) => name !== 'stopped')).toEqual([])
})

it('keeps what came before an error', async () => {
  const saveTo = join(folder, 'failed')
  const fail = run(await tiny(), {
    saveTo,
    onUpdate: ({ update }) => {
      if (update === 1) throw new Error('own fault')
      return undefined
    },
  })
  await expect(fail).rejects.toThrow('own fault')
  expect(readFileSync(join(saveTo, 'updates.jsonl'), 'utf8').trim().split('\n')).toHaveLength(1)
})

it('replaces an earlier run where that is said, and keeps others away meanwhile', async () => {
  const saveTo = join(folder, 'failed')
  const policy = await tiny()
  const seen: string[] = []
  const records = await run(policy, {
    saveTo,
    overwrite: true,
    updates: 2,
    onUpdate: async () => {
      seen.push(String(await policy.save(saveTo, { overwrite: true }).catch((error: unknown) => error)))
      return undefined
    },
  })
  expect(seen).toHaveLength(2)
  expect(seen.join()).toContain(`write checkpoint: ${saveTo} `)
  expect(records).toHaveLength(2)
  expect(readFileSync(join(saveTo, 'updates.jsonl'), 'utf8').trim().split('\n')).toHaveLength(2)
  expect(readdirSync(folder).filter((name) => name.startsWith('.'))).toEqual([])
})

it('refuses other settings, no run, a run without `resume` or `overwrite`, and a folder of other things', async () => {
  const policy = await tiny()
  const saveTo = join(folder, 'failed')
  const before = readFileSync(join(saveTo, 'run.json'), 'utf8')
  await expect(run(policy, { saveTo, resume: true, groupSize: 4, updates: 2 })).rejects.toThrow(
    `train: a resumed run keeps its settings: groupSize is 2 in ${saveTo}, got 4; give the same`,
  )
  await expect(run(policy, { saveTo: join(folder, 'none'), resume: true })).rejects.toThrow('there is no run to resume')
  await expect(run(policy, { resume: true })).rejects.toThrow('saveTo must name the folder of the run to resume')
  const onUpdate = (): never => expect.fail('before the first update')
  await expect(run(policy, { saveTo, onUpdate })).rejects.toThrow(
    `train: saveTo: ${saveTo} holds a run already; \`overwrite: true\` replaces it, or choose another folder`,
  )
  expect(readFileSync(join(saveTo, 'run.json'), 'utf8')).toBe(before)
  const other = mkdtempSync(join(folder, 'other-'))
  writeFileSync(join(other, 'thesis.txt'), 'all of it')
  await expect(run(policy, { saveTo: other, onUpdate })).rejects.toThrow('holds files but no run')
  expect(existsSync(join(other, 'thesis.txt'))).toBe(true)
})
