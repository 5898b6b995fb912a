// Plays methods on real questions with a real model, and shows each trajectory as it is:
// npx tsx test/bench/methods.ts MODEL CORPUS.jsonl QUESTIONS.json[l] [COUNT] [METHOD…]
import { GREEDY } from '../../src/evaluation/method.js'
import type { Method } from '../../src/evaluation/method.js'
import { airRagMethod } from '../../src/evaluation/methods/air-rag.js'
import { cotMethod } from '../../src/evaluation/methods/cot.js'
import { deepResearcherMethod } from '../../src/evaluation/methods/deep-researcher.js'
import { directMethod } from '../../src/evaluation/methods/direct.js'
import { buildPhraseIndex } from '../../src/evaluation/methods/phrase-index.js'
import { r1Method } from '../../src/evaluation/methods/r1.js'
import { raAgentMethod } from '../../src/evaluation/methods/ra-agent.js'
import { ragStarMethod } from '../../src/evaluation/methods/rag-star.js'
import { ragMethod } from '../../src/evaluation/methods/rag.js'
import { retroLlmMethod } from '../../src/evaluation/methods/retro-llm.js'
import { searchO1Method } from '../../src/evaluation/methods/search-o1.js'
import { searchR1Method, searchR1Protocol } from '../../src/evaluation/methods/search-r1.js'
import { selfRagMethod } from '../../src/evaluation/methods/self-rag.js'
import { zeroSearchMethod } from '../../src/evaluation/methods/zerosearch.js'
import { readDocuments } from '../../src/dataset/read-documents.js'
import { readQuestions } from '../../src/dataset/read-questions.js'
import type { LanguageModel } from '../../src/language-model/language-model.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import type { Protocol } from '../../src/rollout/protocol.js'
import { scoreAnswer } from '../../src/reward/answer-metrics.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import type { Message } from '../../src/tokenizer/tokenizer.js'

const [folder, corpus, asked, count = '2', ...only] = process.argv.slice(2)
if (folder === undefined || corpus === undefined || asked === undefined) {
  console.error('methods: give a model, a corpus and a file of questions')
  process.exit(2)
}
const model = await loadModel(folder, { slots: 8, contextLength: 4096 })
const documents = await readDocuments(corpus)
const searchEngine = await createBm25Engine(documents, { progress: false })
const questions = (await readQuestions(asked)).slice(0, Number(count))

// Short messages: a small model that does not know how to end would fill its context.
const tokens = 200
const common = { searchEngine, topK: 3 }
const methods: Method[] = [
  directMethod(model),
  cotMethod(model, { maxTokens: tokens }),
  ragMethod(model, common),
  raAgentMethod(model, { ...common, maxTokensPerTurn: tokens, maxPageCharacters: 1000 }),
  searchO1Method(model, { ...common, maxTokensPerTurn: tokens, maxSearches: 3, maxTurns: 5 }),
  r1Method(model, { maxTokens: tokens }),
  searchR1Method(model, common),
  zeroSearchMethod(model, { ...common, sampling: GREEDY }),
  deepResearcherMethod(model, { ...common, maxTokensPerTurn: tokens, name: 'deep-researcher (untrained)' }),
  ragStarMethod(model, { ...common, maxSimulations: 3, maxDepth: 3, maxTokens: 60 }),
  airRagMethod(model, { ...common, rollouts: 2, maxTokens: 60 }),
  selfRagMethod(model, { ...common, maxTokens: 40, untrained: true }),
]

// A small model seldom obeys a description; shown an example, it plays the protocol.
const EXAMPLE = 'Who wrote the play that the musical My Fair Lady is based on?'
const shown =
  (instruction: string, search: string, found: string, end: string) =>
  (question: string): Message[] => [
    { role: 'user', content: `${instruction}\nQuestion: ${EXAMPLE}` },
    { role: 'assistant', content: search },
    { role: 'user', content: found },
    { role: 'assistant', content: end },
    { role: 'user', content: `${instruction}\nQuestion: ${question}` },
  ]
const FOUND = 'My Fair Lady is a musical based on the 1913 play Pygmalion by George Bernard Shaw.'
const tags = shown(
  'Search with <search> query </search>, then answer with <answer> answer </answer>.',
  `<search> ${EXAMPLE} </search>`,
  `<information>Doc 1: ${FOUND}</information>`,
  '<answer> George Bernard Shaw </answer>',
)
const boxes = shown(
  'Search with <|begin_search_query|> query <|end_search_query|>, then answer with \\boxed{answer}.',
  `<|begin_search_query|> ${EXAMPLE} <|end_search_query|>`,
  `<|begin_search_result|>${FOUND}<|end_search_result|>`,
  '\\boxed{George Bernard Shaw}',
)
const tools = shown(
  'Search with a <tool_call>, then answer with <answer> answer </answer>.',
  `I search.</think><tool_call>{"name": "web_search", "arguments": {"query": ["${EXAMPLE}"]}}</tool_call>`,
  `<tool_response>[{"pages": [{"snippet": "${FOUND}"}]}]</tool_response>`,
  'I know.</think><answer> George Bernard Shaw </answer>',
)
const protocol: Protocol = {
  ...searchR1Protocol,
  prompt: (tokenizer, question) => tokenizer.encode(tokenizer.renderPrompt(tags(question))),
}
const short = { ...common, maxTokensPerTurn: tokens, maxTurns: 4, sampling: GREEDY }
methods.push(
  { ...searchR1Method(model, { ...common, protocol }), name: 'search-r1 (shown)' },
  { ...raAgentMethod(model, { ...short, prompt: boxes, maxPageCharacters: 1000 }), name: 'ra-agent (shown)' },
  { ...searchO1Method(model, { ...short, prompt: boxes }), name: 'search-o1 (shown)' },
  deepResearcherMethod(model, { ...short, prompt: tools, name: 'deep-researcher (shown)' }),
  // The same as a chat, as a server would play it.
  { ...searchR1Method(withoutTokens(model), { ...common, prompt: tags }), name: 'search-r1 (chat)' },
)

function withoutTokens(policy: LocalModel): LanguageModel {
  return { name: policy.name, specialTokens: policy.specialTokens!, complete: (...given) => policy.complete(...given) }
}

const retro = 'retrollm (untrained)'
if (only.length === 0 || only.includes(retro)) {
  const index = await buildPhraseIndex(model.tokenizer, documents)
  methods.push(retroLlmMethod(model, { index, searchEngine, maxTokens: 400, maxEvidences: 2, untrained: true }))
}

for (const method of methods) {
  if (only.length > 0 && !only.includes(method.name)) continue
  for (const [seed, question] of questions.entries()) {
    const started = performance.now()
    const trajectory = await method.answer(question, { seed, signal: new AbortController().signal })
    const { answer, stopReason, failure, spent } = trajectory
    console.log(`\n=== ${method.name}: ${question.question} (gold: ${question.goldAnswers.join(' or ')})`)
    for (const { text, action, observation } of trajectory.turns) {
      console.log(`--- ${JSON.stringify(action)}\n${text}`)
      if (observation) console.log(`>>> ${observation.text.trim().slice(0, 600)}`)
    }
    const { em, f1 } = scoreAnswer(answer, question.goldAnswers)
    const seconds = ((performance.now() - started) / 1000).toFixed(1)
    console.log(`=> ${JSON.stringify({ answer, stopReason, failure, em, f1, ...spent, seconds })}`)
  }
}
model.dispose()
