import { afterEach, describe, expect, it, vi } from 'vitest'
import { readQuestions, streamQuestions } from '../../src/dataset/read-questions.js'
import type { DatasetReport } from '../../src/dataset/dataset-report.js'
import { jsonl, writeFixture } from './write-fixture.js'

const own = {
  id: 'mine-test-0',
  dataset: 'mine',
  question: 'Where?',
  goldAnswers: ['Lima'],
  supportingFacts: ['Lima.'],
}

const flash = { id: 'test_0', question: 'who?', golden_answers: ['Ada', 'Ada L.'] }

const write = (...records: object[]): Promise<string> => writeFixture('questions.jsonl', jsonl(...records))

afterEach(() => {
  vi.restoreAllMocks()
})

describe('questions', () => {
  it('of our own columns are read as they are', async () => {
    const { supportingFacts: _, ...bare } = own
    const path = await write(
      { ...own, domain: 'in-domain', split: 'test' },
      { ...bare, id: 'mine-test-1', question: 'When?' },
    )
    expect(await readQuestions(path, { dataset: 'ignored' })).toEqual([
      { ...own, domain: 'in-domain', split: 'test' },
      { ...bare, id: 'mine-test-1', question: 'When?' },
    ])
  })

  it('carry what the options say, unless they say it themselves', async () => {
    const path = await write({ ...own, domain: 'in-domain' }, { ...own, id: 'b', question: 'When?' }, flash)
    const questions = await readQuestions(path, { dataset: 'x', domain: 'out-of-domain', split: 'test' })
    expect(questions.map(({ dataset, domain, split }) => [dataset, domain, split])).toEqual([
      ['mine', 'in-domain', 'test'],
      ['mine', 'out-of-domain', 'test'],
      ['x', 'out-of-domain', 'test'],
    ])
  })

  it('of two sets with ids that begin anew stay apart', async () => {
    const path = await write(flash)
    const [nq] = await readQuestions(path, { dataset: 'nq', onReport: () => undefined })
    const [hotpotqa] = await readQuestions(path, { dataset: 'hotpotqa', onReport: () => undefined })
    expect(nq!.id).toBe('nq-test_0')
    expect(hotpotqa!.id).toBe('hotpotqa-test_0')
  })

  it('take set and split from folder and file, and the domain from the set', async () => {
    const path = await writeFixture('nq/train-00000-of-00001.jsonl', jsonl({ question: 'who?', answer: ['Ada'] }))
    expect(await readQuestions(path, { onReport: () => undefined })).toEqual([
      { id: 'nq-train-0', dataset: 'nq', domain: 'in-domain', split: 'train', question: 'who?', goldAnswers: ['Ada'] },
    ])
  })

  it('of one split are read out of a file of several; what others call dev is called validation too', async () => {
    const row = (index: number, split: string): object => ({
      data_source: 'mine',
      question: `q${index}?`,
      reward_model: { ground_truth: { target: ['a'] } },
      extra_info: { index, split },
    })
    const path = await write(row(0, 'train'), { ...row(0, 'dev'), question: 'q1?' })
    expect((await readQuestions(path)).map(({ id }) => id)).toEqual(['mine-train-0', 'mine-dev-0'])
    expect((await readQuestions(path, { split: 'validation' })).map(({ id }) => id)).toEqual(['mine-dev-0'])
    await expect(readQuestions(path, { split: 'test' })).rejects.toThrow(
      'there is no question of split test; its splits are train, dev',
    )
  })

  it('come one by one as they come in a list', async () => {
    const path = await write(own, { ...own, id: 'b', question: 'When?' })
    const streamed = []
    for await (const question of streamQuestions(path)) streamed.push(question)
    expect(streamed).toEqual(await readQuestions(path))
  })

  it('are refused with options that are not what they must be', async () => {
    const path = await write(flash)
    await expect(readQuestions(path, { dataset: '' })).rejects.toThrow('read question set: dataset must ')
    await expect(readQuestions(path, 'nq' as unknown as object)).rejects.toThrow(
      'read question set: there is no option 0',
    )
    await expect(readQuestions(path, { domain: 'indomain' as 'in-domain' })).rejects.toThrow(
      "read question set: domain must be one of 'in-domain', 'out-of-domain', got 'indomain'",
    )
    await expect(readQuestions(path, { columns: { anwsers: 'a' } as object })).rejects.toThrow('did you mean answers?')
  })
})

describe('rows that do not fit', () => {
  it.each([
    [{ ...own, goldAnswers: undefined }, 'column goldAnswers is missing; the columns are id, dataset, question, supp'],
    [{ ...own, domain: 'indomain' }, 'column domain: Invalid option'],
    [{ ...flash, golden_answers: [] }, 'column golden_answers holds no answer that is not empty'],
    [{ ...flash, golden_answers: ['', ' '] }, 'column golden_answers holds no answer that is not empty'],
    [{ ...flash, golden_answers: [['Ada']] }, 'column golden_answers must be a list of texts, got ["Ada"] in it'],
    [{ ...flash, golden_answers: { a: 1 } }, 'column golden_answers must be a text or a list of texts, got {"a":1}'],
    [{ ...flash, question: ' ' }, 'column question is empty'],
    [{ id: 'test_1', golden_answers: ['Ada'] }, 'column question is missing; the columns are id, golden_answers'],
    [
      { a: 1, b: 2 },
      'there is no question with answers in it; the columns are a, b; say which hold them: { columns: { ',
    ],
    [['a'], 'a record must be an object, got a list'],
  ])('%j: refused with place and column', async (bad, message) => {
    const path = await write(own, bad)
    await expect(readQuestions(path)).rejects.toThrow(`read question set ${path}, line 2: ${message}`)
  })

  it('are told all at once, and can be left out', async () => {
    const path = await writeFixture(
      'x.jsonl',
      `${jsonl(own)}\n{"id": \n\n${jsonl({ ...own, goldAnswers: [] }, own, flash)}`,
    )
    await expect(readQuestions(path)).rejects.toThrow(
      `read question set ${path}, line 2: every line must be one whole JSON record, got {"id": ; is the file cut off?. ` +
        "3 of 5 rows do not fit (line 2, line 4, line 5); mend them, or leave them out with faults: 'skip'",
    )
    let report: DatasetReport | undefined
    const questions = await readQuestions(path, { faults: 'skip', onReport: (found) => (report = found) })
    expect(questions.map(({ id }) => id)).toEqual(['mine-test-0', 'x-test_0'])
    expect(report).toMatchObject({ format: 'JSONL', dialects: ['zerosearch', 'flashrag'], rows: 5, questions: 2 })
    expect(report!.faulty.count).toBe(3)
    expect(report!.faulty.examples[2]).toBe('line 5: ids must be unique, got mine-test-0 twice; renumber them')
  })

  it('stop a stream at once, behind the good ones', async () => {
    const path = await write(own, { nothing: 1 }, { ...own, id: 'c' })
    const seen: string[] = []
    await expect(async () => {
      for await (const { id } of streamQuestions(path)) seen.push(id)
    }).rejects.toThrow('line 2: there is no question')
    expect(seen).toEqual(['mine-test-0'])
  })

  it('end the reading of a file that has nothing else', async () => {
    const path = await write(...Array.from({ length: 3000 }, () => ({ a: 1 })))
    await expect(readQuestions(path)).rejects.toThrow('1000 of 1000 rows do not fit')
  })
})

describe('what is told', () => {
  it('is the size of a set that is not whole, once, as a warning', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    const path = await writeFixture('nq/test.jsonl', jsonl(flash))
    await readQuestions(path)
    expect(warn.mock.calls).toEqual([[`read question set ${path}: nq test has 1 questions here, 3610 in full`]])
  })

  it('is nothing of a set of somebody’s own', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => undefined)
    await readQuestions(await write(own))
    expect(warn).not.toHaveBeenCalled()
  })

  it('are questions in the same words, and those without an answer', async () => {
    let report: DatasetReport | undefined
    const path = await write(
      flash,
      { ...flash, id: 'test_1' },
      { ...flash, id: 'test_2', metadata: { answerable: false } },
    )
    expect(await readQuestions(path, { dataset: 'x', onReport: (found) => (report = found) })).toHaveLength(2)
    expect(report!.repeated).toEqual({ count: 1, examples: ['x-test_1 (who?)'] })
    expect(report!.unanswerable).toEqual({ count: 1, examples: ['line 3 (test_2)'] })
    expect(report!.sets).toEqual([{ dataset: 'x', split: 'test', questions: 2 }])
  })
})
