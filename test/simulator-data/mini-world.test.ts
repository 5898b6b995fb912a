// The pipeline on the mini world: its policy plays, BM25 over its documents answers, its own prompt is learned.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readExamples } from '../../src/dataset/read-examples.js'
import { policyMethod } from '../../src/evaluation/methods/policy.js'
import { loadModel } from '../../src/language-model/local-model.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import { containsAnswer } from '../../src/reward/contains-answer.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { buildSimulatorData } from '../../src/simulator-data/build.js'
import { readSimulatorExamples } from '../../src/simulator-data/example-rows.js'
import { parseDocuments } from '../../src/simulator/parse-documents.js'

test('the mini policy plays, and its searches become examples of the mini simulator', async () => {
  const saveTo = mkdtempSync(join(tmpdir(), 'mini-data-'))
  const model = await loadModel(miniCheckpoint('ceiling'))
  try {
    const questions = [
      ...(await miniQuestions('mini-nq', 'train')).slice(0, 40),
      ...(await miniQuestions('mini-hotpotqa', 'train')).slice(0, 24),
    ]
    const sampling = { temperature: 1, topP: 1, topK: 0 }
    const { train, counts } = await buildSimulatorData({
      model,
      searchEngine: await createBm25Engine(await miniDocuments('train')),
      method: (policy, { searchEngine }) =>
        policyMethod('mini', policy, { searchEngine, protocol: miniProtocol, sampling }),
      questions,
      prompt: miniSimulatorPrompt,
      usefulIf: 'trajectory',
      balance: false,
      saveTo: join(saveTo, 'data'),
    })
    expect(counts.attempts).toMatchObject({ all: 64, failed: 0 })
    expect(counts.attempts.right).toBeGreaterThan(32)
    expect(counts.spent.players.completionTokens).toBeGreaterThan(64 * 10)
    const examples = await readSimulatorExamples(train)
    const rows = (await readExamples(train)) as { prompt: string; completion: string }[]
    for (const [i, { quality, query, question, documents }] of examples.entries()) {
      expect(rows[i]!.prompt).toBe(miniSimulatorPrompt.render(query, question, quality, documents.length))
      expect(rows[i]!.completion).toMatch(/^ Doc 1: .*<\/information>$/)
      expect(parseDocuments(rows[i]!.completion).map(({ text }) => text)).toEqual(documents)
      if (quality === 'noisy') expect(documents.some((text) => containsAnswer(text, question.goldAnswers))).toBe(false)
    }
    expect(readFileSync(join(saveTo, 'data', 'llama-factory.yaml'), 'utf8')).toContain('template: empty')
  } finally {
    model.dispose()
    rmSync(saveTo, { recursive: true })
  }
}, 120_000)
