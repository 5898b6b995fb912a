// The mini policy, really trained in a way that makes it collapse: it is seen, and what is promised is done.
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test, vi } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { train } from '../../src/train/train.js'
import { allWeights } from './tiny-policy.js'

const folder = mkdtempSync(join(tmpdir(), 'collapse-'))
const open: LocalModel[] = []
afterAll(() => {
  vi.restoreAllMocks()
  open.forEach((policy) => policy.dispose())
  rmSync(folder, { recursive: true })
})

test('at 50 times the learning rate and without KL, a run is warned of within five updates, goes back to its start, and pauses', async () => {
  const said: string[] = []
  vi.spyOn(console, 'warn').mockImplementation((text: string) => void said.push(text))
  const policy = await loadModel(miniCheckpoint('policy'), { slots: 32 })
  open.push(policy)
  const start = await allWeights(policy)
  const seen: UpdateRecord[] = []
  let afterRollback: Float32Array[] | undefined
  const running = train({
    algorithm: 'grpo',
    policy,
    searchEngine: await createBm25Engine(await miniDocuments('train')),
    questions: await miniQuestions('mini-nq', 'train'),
    protocol: { ...miniProtocol, maxTokensPerTurn: 24 },
    curriculum: { start: 0, end: 0 },
    updates: 12,
    questionsPerUpdate: 8,
    groupSize: 4,
    learningRate: 0.02,
    warmupRatio: 0,
    klCoef: 0,
    onCollapse: 'rollback',
    maxRollbacks: 1,
    saveTo: join(folder, 'run'),
    // Between the rollback and the next step.
    reward: async ({ answer, question }) => {
      if (seen.length > 0 && said.some((text) => text.includes('after update 0')))
        afterRollback ??= await allWeights(policy)
      return Number(answer === question.goldAnswers[0])
    },
    onUpdate: (record) => void seen.push(record),
  })
  await expect(running).rejects.toThrow(/^Paused after update \d+ of 12: .*it went back 1 times already/)
  const first = seen.find(({ warnings }) => warnings !== undefined)!
  expect(first.update).toBeLessThanOrEqual(5)
  expect(first.warnings!.map(({ metric }) => metric)).toContain('validActions')
  expect(afterRollback).toEqual(start)
  expect(seen[first.update]!.learningRate).toBe(0.01)
  expect(seen.length).toBeLessThan(12)
}, 600_000)
