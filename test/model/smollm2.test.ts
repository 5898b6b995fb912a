// SmolLM2-135M-Instruct itself. `ZEROSEARCH_SMOLLM2` names its GGUF in Q4_1, which loadModel('smollm2') downloads, or a
// folder that was made of it; without that the test is skipped.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import type { Generation } from '../../src/policy/policy.js'

/** What test/parity/make-smollm2.py writes. */
interface Golden {
  texts: { prompt: string; promptIds: number[]; ids: number[]; text: string }[]
}

const path = process.env['ZEROSEARCH_SMOLLM2']
const file = join(import.meta.dirname, '../parity/fixtures/smollm2.json')
const { texts } = JSON.parse(readFileSync(file, 'utf8')) as Golden
const name = path === undefined ? 'SmolLM2 (skipped: ZEROSEARCH_SMOLLM2 names no model)' : 'SmolLM2'

describe.skipIf(path === undefined)(name, { timeout: 300_000 }, () => {
  let model: LocalModel
  beforeAll(async () => {
    model = await loadModel(path!, { slots: texts.length, contextLength: 512 })
  }, 300_000)
  afterAll(() => model?.dispose())

  const answer = async ({ promptIds, ids }: Golden['texts'][0]): Promise<number[]> => {
    const conversation = await model.start({ temperature: 0, topP: 1, topK: 0 }, 1)
    const generation = await conversation.generate(promptIds, { maxTokens: ids.length, stop: [] })
    conversation.end()
    return generation.ids
  }

  it('reads prompts as transformers does', () => {
    for (const { prompt, promptIds } of texts) {
      expect(model.tokenizer.encode(model.tokenizer.renderPrompt([{ role: 'user', content: prompt }]))).toEqual(
        promptIds,
      )
    }
  })

  it('gives the same bits alone, side by side and after a copied prompt, in either type', async () => {
    const half = await loadModel(path!, { slots: 4, contextLength: 512, decodingDtype: 'bfloat16' })
    const { promptIds } = texts[0]!
    for (const one of [model, half]) {
      const say = async (seed: number): Promise<Generation> => {
        const conversation = await one.start({ temperature: 1, topP: 1, topK: 0 }, seed)
        const generation = await conversation.generate([...promptIds, 10 + seed], { maxTokens: 12, stop: [] })
        conversation.end()
        return generation
      }
      const alone: Generation[] = []
      for (const seed of [1, 2, 3]) alone.push(await say(seed))
      expect(await Promise.all([1, 2, 3].map(say))).toEqual(alone)
    }
    half.dispose()
  })

  it('writes the greedy texts of transformers, token by token, alone and side by side', async () => {
    const expected = texts.map(({ ids }) => ids)
    const alone: number[][] = []
    for (const text of texts) alone.push(await answer(text))
    expect(alone).toEqual(expected)
    expect(await Promise.all(texts.map(answer))).toEqual(expected)
    expect(alone.map((ids) => model.tokenizer.decode(ids, true))).toEqual(texts.map(({ text }) => text))
  })
})
