// Published files, which are not part of the project: ZEROSEARCH_REALDATA names a folder that holds them.
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { DatasetReport } from '../../src/dataset/dataset-report.js'
import { readDocuments } from '../../src/dataset/read-documents.js'
import { readParagraphs } from '../../src/dataset/read-paragraphs.js'
import { readQrels } from '../../src/dataset/read-qrels.js'
import { readQuestions } from '../../src/dataset/read-questions.js'
import type { Question } from '../../src/schema/question.js'

const folder = process.env['ZEROSEARCH_REALDATA']
const at = (name: string): string => join(folder!, name)

async function read(name: string, faults?: 'skip'): Promise<{ questions: Question[]; report: DatasetReport }> {
  let report: DatasetReport
  const questions = await readQuestions(at(name), { ...(faults && { faults }), onReport: (found) => (report = found) })
  return { questions, report: report! }
}

const lines = (name: string): Record<string, unknown>[] =>
  readFileSync(at(name), 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as Record<string, unknown>)

describe.skipIf(folder === undefined)('published files (skipped where ZEROSEARCH_REALDATA names no folder)', () => {
  it.each([
    ['nq/NQ-open.dev.jsonl', 3610, 'nq', 'dev', 'plain'],
    ['nq/flashrag.test.1000.jsonl', 1000, 'nq', 'test', 'flashrag'],
    ['nq/search-r1.test.100.parquet', 100, 'nq', 'test', 'verl'],
    ['triviaqa/flashrag.test.1000.jsonl', 1000, 'triviaqa', 'test', 'flashrag'],
    ['triviaqa/triviaqa_sample.json', 1, 'triviaqa', undefined, 'triviaqa'],
    ['popqa/flashrag.test.1000.jsonl', 1000, 'popqa', 'test', 'flashrag'],
    ['popqa/popQA.example.tsv', 1, 'popqa', undefined, 'popqa'],
    ['bamboogle/flashrag.test.jsonl', 125, 'bamboogle', 'test', 'flashrag'],
    ['bamboogle/r1-searcher.125.jsonl', 125, 'bamboogle', undefined, 'plain'],
    ['hotpotqa/hotpot_dev_distractor.jsonl', 402, 'hotpotqa', 'dev', 'hotpotqa'],
    ['hotpotqa/hf-layout.dev_distractor.25.json', 25, 'hotpotqa', 'dev', 'hotpotqa'],
    ['hotpotqa/hotpot_train.50.jsonl', 50, 'hotpotqa', 'train', 'hotpotqa'],
    ['hotpotqa/r1-searcher.500.jsonl', 500, 'hotpotqa', undefined, 'plain'],
    ['2wikimultihopqa/2wiki_dev.173.json', 173, '2wikimultihopqa', 'dev', 'hotpotqa'],
    ['2wikimultihopqa/r1-searcher.500.jsonl', 500, '2wikimultihopqa', undefined, 'plain'],
    ['musique/musique_ans_dev.jsonl', 210, 'musique', 'dev', 'musique'],
    ['musique/flashrag.dev.3.jsonl', 3, 'musique', 'dev', 'flashrag'],
    ['musique/musique_full_train.20.jsonl', 11, 'musique', 'train', 'musique'],
  ])('%s: %i questions', async (name, count, dataset, split, dialect) => {
    const { questions, report } = await read(name)
    expect(questions).toHaveLength(count)
    expect(new Set(questions.map((question) => question.dataset))).toEqual(new Set([dataset]))
    expect(new Set(questions.map((question) => question.split))).toEqual(new Set([split]))
    expect(report.dialects).toEqual([dialect])
    expect(report.faulty.count).toBe(0)
    expect(report.rows - count).toBe(report.unanswerable.count)
  })

  it.each(['nq/flashrag.test.1000.jsonl', 'popqa/flashrag.test.1000.jsonl', 'bamboogle/flashrag.test.jsonl'])(
    '%s: every question and answer as it stands',
    async (name) => {
      const { questions } = await read(name)
      expect(questions.map(({ question, goldAnswers }) => [question, goldAnswers])).toEqual(
        lines(name).map((row) => [row['question'], row['golden_answers']]),
      )
    },
  )

  it('TriviaQA: the quoting of 67 questions is undone, all others are as they stand', async () => {
    const { questions } = await read('triviaqa/flashrag.test.1000.jsonl')
    const given = lines('triviaqa/flashrag.test.1000.jsonl')
    const changed = questions.filter(({ question }, i) => question !== given[i]!['question'])
    expect(changed).toHaveLength(67)
    expect(changed[0]!.question).toBe('Who wrote "A cauliflower is nothing but a cabbage with a college education"?')
    expect(changed.every(({ question }) => !question.includes('""'))).toBe(true)
    const answers = questions.flatMap(({ goldAnswers }) => goldAnswers)
    expect(answers).toContain('Michael Jackson\'s "Thriller"')
    expect(answers).toHaveLength(given.flatMap((row) => row['golden_answers']).length)
  })

  it('NQ: Search-R1’s Parquet has the ids, questions and answers of FlashRAG’s lines', async () => {
    const flashrag = new Map((await read('nq/flashrag.test.1000.jsonl')).questions.map((each) => [each.id, each]))
    const { questions } = await read('nq/search-r1.test.100.parquet')
    const both = questions.filter(({ id }) => flashrag.has(id))
    expect(both.length).toBeGreaterThan(10)
    for (const question of both) {
      const bare = question.question.replace(/\?$/, '')
      expect({ ...question, question: bare }).toEqual(flashrag.get(question.id))
    }
    expect(questions[0]).toMatchObject({ id: 'nq-test_0', goldAnswers: ['Wilhelm Conrad Röntgen'] })
  })

  it('PopQA: 14 questions in the words of another are told and kept', async () => {
    expect((await read('popqa/flashrag.test.1000.jsonl')).report.repeated.count).toBe(14)
  })

  it('Bamboogle’s CSV: 13 dates of a spreadsheet are refused, or left out', async () => {
    await expect(read('bamboogle/test.csv')).rejects.toThrow('13 of 125 rows do not fit (line 16, line 20, line 33')
    const { questions, report } = await read('bamboogle/test.csv', 'skip')
    expect(questions).toHaveLength(112)
    expect(report.faulty.count).toBe(13)
    expect(report.sets).toEqual([{ dataset: 'bamboogle', split: 'test', questions: 112, expected: [125] }])
    const right = new Map((await read('bamboogle/flashrag.test.jsonl')).questions.map((each) => [each.question, each]))
    const different = questions.filter(
      ({ question, goldAnswers }) => right.get(question)?.goldAnswers[0] !== goldAnswers[0],
    )
    expect(different.map(({ question, goldAnswers }) => [question, goldAnswers])).toEqual([])
  })

  it('DeepResearcher’s Parquet: seven sets, joined answers taken apart, the original ids', async () => {
    const { questions, report } = await read('all-seven/deepresearcher.test.parquet')
    expect(Object.fromEntries(report.sets.map((set) => [set.dataset, set.questions]))).toEqual({
      nq: 512,
      triviaqa: 512,
      popqa: 512,
      hotpotqa: 512,
      '2wikimultihopqa': 512,
      musique: 512,
      bamboogle: 125,
    })
    expect(questions.flatMap(({ goldAnswers }) => goldAnswers).filter((answer) => answer.includes('<|'))).toEqual([])
    expect(questions[1]).toMatchObject({
      id: 'popqa-dev-3474310',
      question: 'What is the capital of Columbia County?',
      goldAnswers: ['Bloomsburg', 'The Only Town in Pennsylvania', 'Eyersburg'],
    })
    const hotpot = new Map(
      (await read('hotpotqa/hotpot_dev_distractor.jsonl')).questions.map((each) => [each.id, each]),
    )
    const shared = questions.filter(({ id }) => hotpot.has(id))
    expect(shared.length).toBeGreaterThan(0)
    for (const { id, question } of shared) expect(question).toBe(hotpot.get(id)!.question.trim())
  })

  it.each([
    ['hotpotqa/hotpot_dev_distractor.jsonl', 'hotpotqa', 'hotpotqa/qrels.dev.tsv', 'corpora/hotpotqa.jsonl'],
    ['musique/musique_ans_dev.jsonl', 'musique', 'musique/qrels.dev.tsv', 'corpora/musique.jsonl'],
    [
      '2wikimultihopqa/2wiki_dev.173.json',
      '2wikimultihopqa',
      '2wikimultihopqa/qrels.dev.tsv',
      'corpora/2wikimultihopqa.jsonl',
    ],
  ])('%s: the gold paragraphs are those of its judgements', async (name, dataset, qrels, corpus) => {
    const { documents, gold } = await readParagraphs(at(name))
    const wanted = await readQrels(at(qrels), dataset)
    // Of some paragraphs there are copies with other spaces.
    const key = ({ title, text }: { title: string; text: string }): string =>
      `${title}\n${text}`.toLowerCase().replace(/\s/g, '')
    const ours = new Map(documents.map((each) => [each.id, key(each)]))
    const theirs = new Map((await readDocuments(at(corpus))).map((each) => [each.id, key(each)]))
    expect(Object.keys(gold).sort()).toEqual(Object.keys(wanted).sort())
    for (const [question, ids] of Object.entries(gold)) {
      expect(ids.map((id) => ours.get(id)).sort()).toEqual(wanted[question]!.map((id) => theirs.get(id)).sort())
    }
  })

  it.each([
    ['corpora/hotpotqa.jsonl', 9728],
    ['corpora/musique.jsonl', 9107],
    ['corpora/2wikimultihopqa.jsonl', 7054],
    ['corpora/wiki18-single-hop.jsonl', 9541],
    ['corpora/wikipedia-vital-leads.jsonl', 10_033],
    ['corpora/flashrag-format.wiki18.1000.jsonl', 1000],
  ])('%s: %i documents, each with a title and a text', async (name, count) => {
    const documents = await readDocuments(at(name))
    expect(documents).toHaveLength(count)
    expect(documents.filter(({ title, text }) => title === '' || title.includes('\n') || text === '')).toEqual([])
  })

  it.each([
    ['nq/answer-passages.tsv', 1227, 650],
    ['triviaqa/answer-passages.tsv', 1658, 723],
    ['popqa/answer-passages.tsv', 823, 448],
    ['bamboogle/answer-passages.tsv', 122, 64],
    ['hotpotqa/qrels.dev.tsv', 804, 402],
  ])('%s: %i pairs of %i questions', async (name, pairs, questions) => {
    const gold = await readQrels(at(name))
    expect(Object.values(gold).flat()).toHaveLength(pairs)
    expect(Object.keys(gold)).toHaveLength(questions)
  })
})
