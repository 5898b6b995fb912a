import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { readQuestions } from '../../src/dataset/read-questions.js'

let folder: string
let path: string
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'questions-'))
  path = join(folder, 'questions.jsonl')
})
afterEach(() => rm(folder, { recursive: true }))

const write = (...records: object[]): Promise<void> => writeFile(path, records.map((r) => JSON.stringify(r)).join('\n'))

const own = {
  id: 'mine-test-0',
  dataset: 'mine',
  question: 'Where?',
  goldAnswers: ['Lima'],
  supportingFacts: ['Lima.'],
}

test('our own columns are read as they are', async () => {
  await write(own, { ...own, id: 'mine-test-1', supportingFacts: undefined })
  const { supportingFacts: _, ...bare } = own
  expect(await readQuestions(path, 'ignored')).toEqual([own, { ...bare, id: 'mine-test-1' }])
})

test('what is no name of a set, or no domain, is refused', async () => {
  await write({ id: 'test_0', question: 'who?', golden_answers: ['Ada'] })
  for (const dataset of ['', NaN, null] as string[])
    await expect(readQuestions(path, dataset)).rejects.toThrow('read question set: dataset must ')
  await expect(readQuestions(path, 'nq', 'indomain' as 'in-domain')).rejects.toThrow(
    "read question set: domain must be one of 'in-domain', 'out-of-domain', got 'indomain'",
  )
})

test('FlashRAG’s columns are read; ids that begin anew in each set stay apart', async () => {
  await write({ id: 'test_0', question: 'who?', golden_answers: ['Ada', 'Ada L.'], metadata: { type: 'bridge' } })
  const nq = await readQuestions(path, 'nq')
  const hotpotqa = await readQuestions(path, 'hotpotqa')
  expect(nq).toEqual([{ id: 'nq-test_0', dataset: 'nq', question: 'who?', goldAnswers: ['Ada', 'Ada L.'] }])
  expect(hotpotqa[0]!.id).not.toBe(nq[0]!.id)
})

test('the domain of a set is on its questions; one that says its own keeps it', async () => {
  await write(own, { ...own, id: 'b', domain: 'in-domain' }, { id: 'c', question: 'who?', golden_answers: ['Ada'] })
  const questions = await readQuestions(path, 'x', 'out-of-domain')
  expect(questions.map(({ domain }) => domain)).toEqual(['out-of-domain', 'in-domain', 'out-of-domain'])
  await write({ ...own, domain: 'indomain' })
  await expect(readQuestions(path, 'x')).rejects.toThrow('line 1: column domain')
})

test.each([
  [
    { ...own, goldAnswers: undefined },
    'line 2: column goldAnswers is missing; the columns are id, dataset, question, supportingFacts',
  ],
  [{ id: 'test_1', question: 'who?', golden_answers: [] }, 'line 2: column golden_answers: Too small'],
  [{ id: 'test_1', golden_answers: ['Ada'] }, 'line 2: column question is missing'],
])('%j is refused with line and column', async (bad, message) => {
  await write(own, bad)
  await expect(readQuestions(path, 'x')).rejects.toThrow(`read question set ${path}, ${message}`)
})

test('an id that comes twice is refused: groups and comparisons are keyed by it', async () => {
  await write(own, own)
  await expect(readQuestions(path, 'x')).rejects.toThrow('ids must be unique, got mine-test-0 twice')
})
