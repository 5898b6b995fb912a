import { expect, test } from 'vitest'
import { MINI_DATASETS, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'

test.each(MINI_DATASETS)('%s has validation and test questions, with ids unique over all sets', async (dataset) => {
  for (const split of ['validation', 'test'] as const) {
    const questions = await miniQuestions(dataset, split)
    expect(questions.length).toBeGreaterThanOrEqual(200)
    questions.forEach((question, i) => {
      expect(question.dataset).toBe(dataset)
      expect(question.domain).toBe(/nq|hotpotqa/.test(dataset) ? 'in-domain' : 'out-of-domain')
      expect(question.id).toBe(`${dataset}-${split}-${i}`)
    })
  }
})

test('the in-domain sets have at least 2,000 training questions', async () => {
  for (const dataset of ['mini-nq', 'mini-hotpotqa'] as const) {
    expect((await miniQuestions(dataset, 'train')).length).toBeGreaterThanOrEqual(2000)
  }
})

test('a split that a set does not have is named', async () => {
  await expect(miniQuestions('mini-popqa', 'train')).rejects.toThrow('mini-popqa-train.jsonl: the file does not exist')
})

test('every supporting fact of a test question is in the documents of its split', async () => {
  const documents = (await miniDocuments('test')).map(({ text }) => text)
  for (const { supportingFacts } of await miniQuestions('mini-hotpotqa', 'test')) {
    for (const fact of supportingFacts!) {
      const [, entity, relation, value] = /^(.*)'s (.*) is (.*)\.$/.exec(fact)!
      expect(documents.some((text) => [entity, relation, value].every((part) => text.includes(part!)))).toBe(true)
    }
  }
})
