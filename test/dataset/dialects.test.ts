// Rows of our own writing in the shapes that question sets are published in.
import { expect, it } from 'vitest'
import { readQuestions } from '../../src/dataset/read-questions.js'
import { writeParquet } from '../../src/file/parquet.js'
import type { ReadQuestionsOptions } from '../../src/dataset/read-questions.js'
import type { Question } from '../../src/schema/question.js'
import { jsonl, writeFixture } from './write-fixture.js'

const read = (path: string, options: ReadQuestionsOptions = {}): Promise<Question[]> =>
  readQuestions(path, { onReport: () => undefined, ...options })

const hotpot = {
  _id: '5a7f',
  question: 'Which river crosses the town of the mill?',
  answer: 'Aare',
  supporting_facts: [
    ['Mill', 0],
    ['Town', 1],
    ['Town', 9],
  ],
  context: [
    ['Mill', ['The mill is in the town.', ' It is old.']],
    ['Town', ['The town is small.', ' The Aare crosses it.']],
    ['Other', ['Something else.']],
  ],
  type: 'bridge',
  level: 'hard',
}

const facts = ['The mill is in the town.', 'The Aare crosses it.']

const musique = {
  id: '2hop__1_2',
  paragraphs: [
    { idx: 0, title: 'Other', paragraph_text: 'Something else.', is_supporting: false },
    { idx: 1, title: 'Town', paragraph_text: 'The Aare crosses it.', is_supporting: true },
    { idx: 2, title: 'Mill', paragraph_text: 'The mill is in the town.', is_supporting: true },
  ],
  question: hotpot.question,
  question_decomposition: [
    { id: 1, question: 'Mill >> town', answer: 'town', paragraph_support_idx: 2 },
    { id: 2, question: '#1 >> river', answer: 'Aare', paragraph_support_idx: 1 },
  ],
  answer: 'Aare',
  answer_aliases: ['Arole', 'Aare'],
  answerable: true,
}

const chat = (question: string): object[] => [{ role: 'user', content: `Answer the question. Question: ${question}\n` }]

it.each<[string, string, string | object[], Partial<Question>]>([
  [
    'HotpotQA as one JSON array',
    'hotpot_dev_v1.json',
    JSON.stringify([hotpot], null, 1),
    { id: 'hotpotqa-5a7f', dataset: 'hotpotqa', split: 'dev', goldAnswers: ['Aare'], supportingFacts: facts },
  ],
  [
    'HotpotQA in Hugging Face’s layout',
    'hf.json',
    [
      {
        ...hotpot,
        _id: undefined,
        supporting_facts: { title: ['Mill', 'Town'], sent_id: [0, 1] },
        context: { title: ['Mill', 'Town'], sentences: hotpot.context.slice(0, 2).map(([, sentences]) => sentences) },
      },
    ],
    { id: 'hotpotqa-0', supportingFacts: facts },
  ],
  [
    '2WikiMultiHopQA, told by its kinds of question',
    'x.jsonl',
    [{ ...hotpot, type: 'compositional' }],
    { id: '2wikimultihopqa-5a7f', domain: 'out-of-domain', supportingFacts: facts },
  ],
  [
    '2WikiMultiHopQA with JSON in texts',
    'x.jsonl',
    [
      {
        ...hotpot,
        evidences: '[]',
        context: JSON.stringify(hotpot.context),
        supporting_facts: JSON.stringify(hotpot.supporting_facts),
      },
    ],
    { dataset: '2wikimultihopqa', supportingFacts: facts },
  ],
  [
    'MuSiQue, facts along the chain',
    'm.jsonl',
    [musique],
    { id: 'musique-2hop__1_2', goldAnswers: ['Aare', 'Arole'], supportingFacts: facts },
  ],
  [
    'FlashRAG with HotpotQA’s metadata',
    'hotpotqa/dev.jsonl',
    [{ id: 'dev_0', question: 'q?', golden_answers: ['Aare'], metadata: hotpot }],
    { id: 'hotpotqa-dev_0', split: 'dev', supportingFacts: facts },
  ],
  [
    'FlashRAG with MuSiQue’s metadata',
    'musique/dev.jsonl',
    [
      {
        id: 'dev_0',
        question: 'q?',
        golden_answers: ['Aare'],
        metadata: {
          answerable: true,
          question_decomposition: [{ id: 1, support_paragraph: musique.paragraphs[2] }],
        },
      },
    ],
    { id: 'musique-dev_0', supportingFacts: ['The mill is in the town.'] },
  ],
  [
    'TriviaQA’s original',
    'unfiltered-web-dev.json',
    JSON.stringify(
      {
        Data: [
          {
            Answer: { Aliases: ['River Aare', 'Aare'], NormalizedAliases: ['aare'], Value: 'Aare' },
            Question: 'Which river?',
            QuestionId: 'tc_1',
          },
        ],
        Domain: 'Web',
        Version: 1,
      },
      null,
      2,
    ),
    { id: 'triviaqa-tc_1', dataset: 'triviaqa', split: 'dev', goldAnswers: ['Aare', 'River Aare'] },
  ],
  [
    'TriviaQA’s original on one line',
    't.json',
    '{"Data": [{"Answer": {"Value": "Aare"}, "Question": "Which, ]}\\"river?", "QuestionId": "tc_1"}], "Version": 1}',
    { id: 'triviaqa-tc_1', question: 'Which, ]}"river?', goldAnswers: ['Aare'] },
  ],
  [
    'TriviaQA of Hugging Face',
    't.jsonl',
    [{ question: 'q?', question_id: 'tc_1', answer: { value: 'Aare', aliases: ['River Aare'] } }],
    { id: 'triviaqa-tc_1', goldAnswers: ['Aare', 'River Aare'] },
  ],
  [
    'PopQA’s TSV with JSON in cells',
    'p.tsv',
    'id\tsubj\tquestion\tpossible_answers\n42\tMill\tWhat is it?\t"[""mill"", ""a \\""mill\\""""]"\n',
    { id: 'popqa-42', dataset: 'popqa', goldAnswers: ['mill', 'a "mill"'] },
  ],
  [
    'Bamboogle’s CSV',
    'bamboogle/test.csv',
    '\uFEFFQuestion,Answer\r\n"Which river, say,\nis it?",Aare\r\n',
    { id: 'bamboogle-test-0', question: 'Which river, say,\nis it?', goldAnswers: ['Aare'] },
  ],
  [
    'R1-Searcher’s lines',
    'bamboogle/r1.jsonl',
    [{ idx: 7, question: 'q?', answer: 'Aare', gen_text_store: '' }],
    { id: 'bamboogle-7', goldAnswers: ['Aare'] },
  ],
  [
    'NQ-open',
    'NQ-open.dev.jsonl',
    [{ question: 'q?', answer: ['Aare', '"Fix You"'] }],
    { id: 'nq-dev-0', dataset: 'nq', split: 'dev', goldAnswers: ['Aare', '"Fix You"'] },
  ],
  [
    'DPR’s table without a header, answers as Python writes them',
    'nq-test.qas.csv',
    `which river\t['Aare', "the \\"A'are\\"", 'caf\\xe9']\n`,
    { id: 'nq-test-0', dataset: 'nq', question: 'which river', goldAnswers: ['Aare', 'the "A\'are"', 'café'] },
  ],
  [
    'numpy’s lists as text, as pandas writes them',
    'nq/mine.csv',
    `question,golden_answers\nq?,"['Aare'\n 'River ""Aare""']"\n`,
    { goldAnswers: ['Aare', 'River "Aare"'] },
  ],
  [
    'numpy’s arrays as text',
    'nq/mine.jsonl',
    [{ question: 'q?', golden_answers: "array(['Aare', \"A'are\"], dtype=object)" }],
    { goldAnswers: ['Aare', "A'are"] },
  ],
  [
    'Python’s tuples as text',
    'nq/mine.jsonl',
    [{ question: 'q?', answers: "('Aare', 'River Aare')" }],
    { goldAnswers: ['Aare', 'River Aare'] },
  ],
  [
    'an answer in brackets is no list',
    'nq/mine.jsonl',
    [{ question: 'q?', answers: ["[sic] 'Aare'", "('Aare')x", '(Aare)', '{"Aare"}'] }],
    { goldAnswers: ["[sic] 'Aare'", "('Aare')x", '(Aare)', '{"Aare"}'] },
  ],
  [
    'verl’s ground truth as JSON in a text',
    'd.jsonl',
    [
      {
        data_source: 'nq',
        question: 'Which river?',
        reward_model: { ground_truth: '{"target": ["Aare", "River Aare"]}', style: 'rule' },
      },
    ],
    { question: 'Which river?', goldAnswers: ['Aare', 'River Aare'] },
  ],
  [
    'CSV’s quotes that a converter left in',
    'triviaqa/test.jsonl',
    [{ id: 'test_0', question: '"What is ""this""?"', golden_answers: ['"the ""Aare"""', '"Mean Joe" Greene'] }],
    { question: 'What is "this"?', goldAnswers: ['the "Aare"', '"Mean Joe" Greene'] },
  ],
  [
    'DeepResearcher: joined answers, the bare question as prompt',
    'd.jsonl',
    [
      {
        data_source: 'tq',
        prompt: [{ role: 'user', content: 'Which river?' }],
        reward_model: { ground_truth: 'Aare<|answer_split|>River Aare', style: 'unknown' },
        extra_info: { index: 'tq_99', split: 'dev' },
      },
    ],
    { id: 'triviaqa-dev-99', dataset: 'triviaqa', question: 'Which river?', goldAnswers: ['Aare', 'River Aare'] },
  ],
  [
    'verl’s own preprocessing',
    'd.jsonl',
    [
      {
        data_source: 'searchR1_nq',
        prompt: chat('ignored'),
        reward_model: { ground_truth: { target: ['Aare'] } },
        extra_info: { index: 3, split: 'train', question: 'Which river?' },
      },
    ],
    { id: 'nq-train-3', dataset: 'nq', question: 'Which river?', goldAnswers: ['Aare'] },
  ],
  [
    'SkyRL, the question at the end of the prompt',
    'd.jsonl',
    [
      {
        data_source: 'searchR1_hotpotqa',
        env_class: 'search',
        prompt: chat('Which river?'),
        reward_spec: { ground_truth: { target: ['Aare'] } },
        extra_info: { index: 3, split: 'train' },
      },
    ],
    { id: 'hotpotqa-train-3', question: 'Which river?' },
  ],
  [
    'HippoRAG’s aliases beside HotpotQA’s fields',
    'x.jsonl',
    [{ ...hotpot, answer_aliases: ['Arole', 'Aare'] }],
    { goldAnswers: ['Aare', 'Arole'] },
  ],
  [
    'answers as SQuAD keeps them, in either layout',
    'x.jsonl',
    [{ id: 1, question: 'q?', answers: [{ text: 'Aare', answer_start: 3 }] }],
    { goldAnswers: ['Aare'] },
  ],
  [
    'IRCoT',
    'hotpotqa/dev.jsonl',
    [
      {
        question_id: '5a7f',
        question_text: 'q?',
        answers_objects: [{ spans: ['Aare'] }],
        contexts: [{ idx: 0, title: 'Mill', paragraph_text: 'The mill.', is_supporting: true }],
      },
    ],
    { id: 'hotpotqa-5a7f', goldAnswers: ['Aare'] },
  ],
  [
    'KILT',
    'nq-dev-kilt.jsonl',
    [{ id: '-123', input: 'q?', output: [{ answer: 'Aare' }, { provenance: [] }, { answer: 'Aare' }] }],
    { id: 'nq--123', dataset: 'nq', goldAnswers: ['Aare'] },
  ],
])('%s', async (_, name, rows, expected) => {
  const content = typeof rows === 'string' ? rows : name.endsWith('.json') ? JSON.stringify(rows) : jsonl(...rows)
  const questions = await read(await writeFixture(name, content))
  expect(questions).toHaveLength(1)
  expect(questions[0]).toMatchObject(expected)
})

it('Search-R1’s Parquet has the ids of FlashRAG’s lines, and sets in one file stay apart', async () => {
  const path = await writeFixture('search-r1/train.parquet', '')
  const rows = ['nq', 'hotpotqa'].map((data_source) => ({
    id: 'train_5',
    question: 'Which river?',
    golden_answers: ['Aare', 'River Aare'],
    data_source,
    prompt: chat('Which river?'),
  }))
  await writeParquet(path, rows, {
    id: 'text',
    question: 'text',
    golden_answers: 'texts',
    data_source: 'text',
    prompt: 'json',
  })
  const questions = await read(path)
  expect(questions.map(({ id }) => id)).toEqual(['nq-train_5', 'hotpotqa-train_5'])
  expect(questions[0]).toMatchObject({ split: 'train', domain: 'in-domain', goldAnswers: ['Aare', 'River Aare'] })
})

it('MuSiQue-Full’s questions without an answer are no questions', async () => {
  const unanswerable = {
    ...musique,
    id: '2hop__1_3',
    answerable: false,
    question_decomposition: [{ id: 1, question: 'Mill >> town', answer: 'town', paragraph_support_idx: null }],
  }
  expect(await read(await writeFixture('full.jsonl', jsonl(musique, unanswerable)))).toHaveLength(1)
})

it('answers that a spreadsheet made dates of are refused by name, or left out', async () => {
  const path = await writeFixture('bamboogle/test.csv', 'Question,Answer\nWhen?,29-May-32\nWhere?,Lima\nWhat?,Nov-05\n')
  await expect(read(path)).rejects.toThrow("line 2: answer '29-May-32' is a date that a spreadsheet rewrote")
  await expect(read(path)).rejects.toThrow('2 of 3 rows do not fit (line 2, line 4)')
  expect((await read(path, { faults: 'skip' })).map(({ question }) => question)).toEqual(['Where?'])
})

it('columns of a table of somebody’s own may be named', async () => {
  const columns = { question: 'frage', answers: 'antwort', id: 'nr', dataset: 'satz', split: 'teil' }
  const rows = 'nr;frage;antwort;satz;teil\n1;"Wo; wann?";Lima;geo;test\n2;Wer?;"[""Ada"", ""Ada L.""]";geo;test\n'
  const questions = await read(await writeFixture('meine.csv', rows), { columns })
  expect(questions).toEqual([
    { id: 'geo-test-1', dataset: 'geo', split: 'test', question: 'Wo; wann?', goldAnswers: ['Lima'] },
    { id: 'geo-test-2', dataset: 'geo', split: 'test', question: 'Wer?', goldAnswers: ['Ada', 'Ada L.'] },
  ])
  const path = await writeFixture('mine.json', JSON.stringify([{ question: 'Where?', a: 1532 }]))
  expect(await read(path, { columns: { answers: 'a' } })).toMatchObject([{ id: 'mine-0', goldAnswers: ['1532'] }])
  await expect(read(path, { columns: { answers: 'b' } })).rejects.toThrow(
    'column b is missing; the columns are question, a',
  )
})
