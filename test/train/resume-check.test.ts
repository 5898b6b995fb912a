// A resumed run is the saved one: what has changed is refused by name, or allowed by name.
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import type { RunManifest } from '../../src/train/run-manifest.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { aQuestion, allWeights, alternatingPolicy, untimed } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'resume-'))
const open: LocalModel[] = []
afterAll(() => {
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

/** Right and wrong by turns, begun anew for each policy; `onSay` is called before each message. */
async function load(onSay: () => void = () => undefined): Promise<LocalModel> {
  const policy = await alternatingPolicy(onSay)
  open.push(policy)
  return policy
}

const nothingFound = (name: string): TrainOptions['searchEngine'] => ({ name, search: () => Promise.resolve([]) })
const run = (policy: LocalModel, more: Partial<TrainOptions>): Promise<UpdateRecord[]> =>
  train({
    algorithm: 'grpo',
    policy,
    searchEngine: nothingFound('one'),
    questions: [aQuestion(1), aQuestion(2), aQuestion(3)],
    protocol: miniProtocol,
    curriculum: { start: 0.1, end: 0.1 },
    updates: 2,
    questionsPerUpdate: 2,
    groupSize: 2,
    learningRate: 1e-3,
    warmupRatio: 0,
    ...more,
  })

describe('what the course of a run depends on', () => {
  const saveTo = join(folder, 'saved')
  beforeAll(() => load().then((policy) => run(policy, { saveTo })))

  const otherPrompt: typeof miniProtocol = {
    ...miniProtocol,
    prompt: (tokenizer, question) => tokenizer.encode(`Q: ${question}`),
  }
  const digest = '"[0-9a-f]{12}"'
  test.each<[string, keyof RunManifest, Partial<TrainOptions>, RegExp]>([
    ['groupSize', 'groupSize', { groupSize: 3 }, /groupSize is 2 in .*, got 3; give the same/],
    ['topK', 'topK', { topK: 3 }, /topK is 5 in .*, got 3;/],
    ['maxSearches', 'maxSearches', { maxSearches: 1 }, /maxSearches is 6 in .*, got 1;/],
    ['curriculum', 'curriculum', { curriculum: { start: 0.1, end: 0.4 } }, /curriculum\.end is 0\.1 in .*, got 0\.4;/],
    ['searchEngine', 'engine', { searchEngine: nothingFound('two') }, /engine is "one" in .*, got "two";/],
    ['questions', 'questions', { questions: [aQuestion(1), aQuestion(2), aQuestion(4)] }, /questions is "3, content /],
    ['questions', 'questions', { questions: [aQuestion(1)] }, /questions is "3, content .*, got "1, content /],
    [
      'protocol',
      'protocol',
      { protocol: { ...miniProtocol, maxTokens: 500 } },
      /protocol\.maxTokens is 768 in .*, got 500;/,
    ],
    [
      'protocol',
      'protocol',
      { protocol: otherPrompt },
      new RegExp(`protocol\\.prompt is ${digest} in .*, got ${digest}`),
    ],
    [
      'reward',
      'reward',
      { reward: { f1: 1, format: 0.5 } },
      /reward is "F1" in .*, got "{\\"f1\\":1,\\"format\\":0.5}";/,
    ],
    ['reward', 'reward', { reward: () => 1 }, /reward is "F1" in .*, got "reward, source [0-9a-f]{12}";/],
  ])('%s (%s) is refused, and allowed by name', async (_, name, change, message) => {
    const policy = await load()
    const before = await allWeights(policy)
    const resumed = run(policy, { saveTo, resume: true, ...change })
    await expect(resumed).rejects.toThrow(message)
    await expect(resumed).rejects.toThrow(`allow it with allowChanges: ['${name}']`)
    expect(await allWeights(policy)).toEqual(before)
    const allowChanges = [name]
    const copy = join(folder, 'copy')
    await run(await load(), { saveTo: copy })
    expect(await run(policy, { saveTo: copy, resume: true, allowChanges, ...change })).toHaveLength(2)
    rmSync(copy, { recursive: true })
  })
})

describe('another number of updates', () => {
  it('goes on where no schedule depends on it, as if it had been so from the start', async () => {
    const straight = await load()
    const expected = await run(straight, { updates: 4 })
    const saveTo = join(folder, 'longer')
    const policy = await load()
    await run(policy, { saveTo })
    const resumed = await run(policy, { saveTo, resume: true, updates: 4 })
    expect(untimed(resumed)).toEqual(untimed(expected))
    expect(await allWeights(policy)).toEqual(await allWeights(straight))
    await expect(run(policy, { saveTo, resume: true, updates: 3 })).rejects.toThrow(
      'updates is 4 in ' + saveTo + ', got 3, which is less than the 4 updates already made',
    )
  })

  test.each<[string, Partial<TrainOptions>, RegExp]>([
    [
      'the curriculum',
      { curriculum: { start: 0, end: 0.5 } },
      /updates is 2 in .*, got 3, and the noise threshold depends on it: that of update 2 was 0\.5 and would be 0\.1/,
    ],
    [
      'a linear learning rate',
      { learningRateSchedule: 'linear' },
      /updates is 2 in .*, got 3, and the learning rate depends on it: that of update 2 was 0\.0005 and would be 0\.0006/,
    ],
    ['a warm-up', { warmupRatio: 1 }, /and the learning rate depends on it: that of update 1 was 0\.0005 and/],
  ])('is refused where %s depends on it', async (_, change, message) => {
    const saveTo = join(folder, 'fixed')
    const policy = await load()
    await run(policy, { saveTo, ...change })
    await expect(run(policy, { saveTo, resume: true, updates: 3, ...change })).rejects.toThrow(message)
    expect(await run(policy, { saveTo, resume: true, updates: 3, allowChanges: ['updates'], ...change })).toHaveLength(
      3,
    )
    rmSync(saveTo, { recursive: true })
  })
})

describe('a run stopped in its first update', () => {
  it('says that there is nothing to save, and saves nothing', async () => {
    const saveTo = join(folder, 'early')
    const stop = new AbortController()
    const policy = await load(() => stop.abort())
    await expect(run(policy, { saveTo, signal: stop.signal })).rejects.toThrow(
      'Stopped in update 1 of 2. No update was made, so there is nothing to save.',
    )
    await new Promise((resolve) => setTimeout(resolve, 300))
    expect(existsSync(saveTo)).toBe(false)
  })

  it('says of the saved run that it goes on with, that it is as it was, or will be saved', async () => {
    const saveTo = join(folder, 'late')
    await run(await load(), { saveTo })
    const stopped = (policy: LocalModel, signal: AbortSignal): Promise<UpdateRecord[]> =>
      run(policy, { saveTo, resume: true, updates: 4, signal })
    await expect(stopped(await load(), AbortSignal.abort())).rejects.toThrow(
      `No update was made, so there is nothing to save; ${saveTo} is as it was, and \`resume: true\` goes on with it.`,
    )
    const stop = new AbortController()
    const policy = await load(() => stop.abort())
    await expect(stopped(policy, stop.signal)).rejects.toThrow(
      `Stopped in update 3 of 4. An optimizer step under way ends in the background. The run is then saved in ${saveTo};`,
    )
    expect(await run(await load(), { saveTo, resume: true })).toHaveLength(2)
  })
})

it('takes a setting that did not exist when the run was saved for its default', async () => {
  const saveTo = join(folder, 'older')
  await run(await load(), { saveTo, updates: 1 })
  const path = join(saveTo, 'run.json')
  const file = JSON.parse(readFileSync(path, 'utf8')) as { manifest: Record<string, unknown> }
  delete file.manifest['maxGradNorm']
  writeFileSync(path, JSON.stringify(file))
  const resume = { saveTo, updates: 1, resume: true }
  await expect(run(await load(), { ...resume, maxGradNorm: 2 })).rejects.toThrow('maxGradNorm is 1 in')
  expect(await run(await load(), resume)).toHaveLength(1)
})
