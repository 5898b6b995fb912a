// The pipeline on the mini world: a teacher plays in its policy's place (notebook 05 has the policy itself), BM25 over its documents
// answers, the prompt of its simulator is learned.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readExamples } from '../../src/dataset/read-examples.js'
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import type { Policy } from '../../src/policy/policy.js'
import { containsAnswer } from '../../src/reward/contains-answer.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import { demonstrate } from '../../src/rollout/demonstrate.js'
import { loadTokenizer } from '../../src/tokenizer/load-tokenizer.js'
import { buildSimulatorData } from '../../src/simulator-data/build.js'
import { readSimulatorExamples } from '../../src/simulator-data/example-rows.js'
import { parseDocuments } from '../../src/simulator/parse-documents.js'

test('searches become examples of the mini simulator', async () => {
  const saveTo = mkdtempSync(join(tmpdir(), 'mini-data-'))
  const tokenizer = await loadTokenizer(miniCheckpoint('policy'))
  const model: Policy = {
    name: 'mini',
    tokenizer,
    contextLength: 768,
    start: () => Promise.reject(new Error('nobody asks it')),
  }
  try {
    const questions = [
      ...(await miniQuestions('mini-nq', 'train')).slice(0, 40),
      ...(await miniQuestions('mini-hotpotqa', 'train')).slice(0, 24),
    ]
    const { train, counts } = await buildSimulatorData({
      model,
      searchEngine: await createBm25Engine(await miniDocuments('train')),
      method: (policy, { searchEngine }) => ({
        name: 'teacher',
        answer: (question, { signal }) =>
          demonstrate(
            policy,
            question,
            (found) => {
              const { supportingFacts = [], goldAnswers } = question
              if (found.length < supportingFacts.length) return `<search> ${supportingFacts[found.length]!} </search>`
              const holds = found.some((texts) => texts.some(({ text }) => containsAnswer(text, goldAnswers)))
              return `<answer> ${holds ? goldAnswers[0]! : 'nobody knows'} </answer>`
            },
            { searchEngine, protocol: miniProtocol, signal },
          ),
      }),
      questions,
      prompt: miniSimulatorPrompt,
      usefulIf: 'trajectory',
      balance: false,
      saveTo: join(saveTo, 'data'),
    })
    expect(counts.attempts).toMatchObject({ all: 64, failed: 0 })
    expect(counts.attempts.right).toBeGreaterThan(32)
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
    rmSync(saveTo, { recursive: true })
  }
})
