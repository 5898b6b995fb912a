// Measures the shipped checkpoints: writes ../checkpoints/measured-<split>.json.
// Run: npm run mini:measure [-- validation|test]   (default validation; test is looked at for shipped numbers alone)
import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { MINI_DATASETS, miniCheckpoint, miniDocuments, miniQuestions } from '../../../src/mini/dataset.js'
import { evaluate } from '../../../src/evaluation/evaluate.js'
import { policyMethod } from '../../../src/evaluation/methods/policy.js'
import type { Method } from '../../../src/evaluation/method.js'
import { loadModel } from '../../../src/language-model/local-model.js'
import { normalizeAnswer } from '../../../src/reward/normalize-answer.js'
import { miniProtocol } from '../../../src/mini/protocol.js'
import type { Quality } from '../../../src/schema/document.js'
import type { Question } from '../../../src/schema/question.js'
import { createBm25Engine } from '../../../src/search/bm25.js'
import type { SearchEngine } from '../../../src/search/search-engine.js'
import { drawQuality } from '../../../src/simulator/curriculum.js'
import { miniSimulatorPrompt } from '../../../src/mini/simulator-prompt.js'
import { createSimulator } from '../../../src/simulator/simulator.js'

const split = process.argv[2] === 'test' ? 'test' : 'validation'
const protocol = miniProtocol
const round = (value: number): number => Math.round(value * 1000) / 1000

/** Whether a text holds an answer, by whole words. */
const holds = (text: string, answer: string): boolean =>
  ` ${normalizeAnswer(text)} `.includes(` ${normalizeAnswer(answer)} `)

/** For every hop of every question, the query for it, the value it asks for, and the documents of that quality. */
async function simulate(simulator: SearchEngine, questions: readonly Question[], quality: Quality) {
  return Promise.all(
    questions.flatMap((question, i) =>
      question.supportingFacts!.map(async (fact, hop) => {
        const [query, value] = fact.replace(/\.$/, '').split(' is ') as [string, string]
        const documents = await simulator.search(query, { question, topK: 5, quality, seed: 1000 * i + hop })
        return { question, value, text: documents.map((document) => document.text).join(' '), count: documents.length }
      }),
    ),
  )
}

/** Useful documents for the answer's own relation, which nothing says: one hop too many. A document's value stands at its end. */
async function onceTooOften(simulator: SearchEngine, questions: readonly Question[]) {
  return Promise.all(
    questions.map(async (question, i) => {
      const gold = question.goldAnswers[0]!
      const relation = question.supportingFacts!.at(-1)!.split(' is ')[0]!.split("'s ").at(-1)!
      const context = { question, topK: 5, quality: 'useful' as const, seed: 1000 * i + 9 }
      const documents = await simulator.search(`${gold}'s ${relation}`, context)
      return { gold, texts: documents.map((document) => document.text) }
    }),
  )
}

async function measureSimulator(simulator: SearchEngine, questions: readonly Question[]) {
  const share = <T>(items: readonly T[], test: (item: T, i: number) => boolean): number =>
    round(items.filter(test).length / items.length)
  const useful = await simulate(simulator, questions, 'useful')
  const noisy = await simulate(simulator, questions, 'noisy')
  const beyond = await onceTooOften(simulator, questions)
  // By chance: the answer of another question of the same set.
  const other = (i: number): string => noisy[(i + 37) % noisy.length]!.question.goldAnswers[0]!
  return {
    usefulHoldsWantedFact: share(useful, (item) => holds(item.text, item.value)),
    noisyHoldsGoldAnswer: share(noisy, (item) => holds(item.text, item.question.goldAnswers[0]!)),
    noisyHoldsGoldAnswerByChance: share(noisy, (item, i) => holds(item.text, other(i))),
    oneHopTooManyIsAnswered: share(beyond, (item) => item.texts.some((text) => text.endsWith(` ${item.gold}.`))),
    fiveDocuments: share([...useful, ...noisy], (item) => item.count === 5),
  }
}

const exact = async (method: Method, questions: readonly Question[]): Promise<number> => {
  const scores = await evaluate({ methods: [method], questions })
  return round(scores.reduce((sum, score) => sum + score.em, 0) / scores.length)
}

const engine = await createBm25Engine(await miniDocuments(split))
const simulator = createSimulator(await loadModel(miniCheckpoint('simulator'), { slots: 96 }), {
  prompt: miniSimulatorPrompt,
})
const results: Record<string, Record<string, unknown>> = { policy: {}, ceiling: {} }
for (const dataset of MINI_DATASETS) {
  const questions = await miniQuestions(dataset, split)
  if (dataset === 'mini-nq' || dataset === 'mini-hotpotqa') {
    results[`simulator ${dataset}`] = await measureSimulator(simulator, questions)
    console.log(dataset, results[`simulator ${dataset}`])
  }
}
for (const name of ['policy', 'ceiling'] as const) {
  const policy = await loadModel(miniCheckpoint(name), { slots: 96 })
  for (const dataset of MINI_DATASETS) {
    const questions = await miniQuestions(dataset, split)
    const inDomain = dataset === 'mini-nq' || dataset === 'mini-hotpotqa'
    const halfNoise = {
      searchEngine: simulator,
      protocol,
      quality: (search: number, seed: number) => drawQuality(0.5, seed, search),
    }
    const em = {
      bm25: await exact(policyMethod(name, policy, { searchEngine: engine, protocol }), questions),
      closedBook: await exact(
        policyMethod(name, policy, { searchEngine: engine, protocol, maxSearches: 0 }),
        questions,
      ),
      // The simulator was taught in-domain questions alone.
      ...(inDomain && { simulatorNoise50: await exact(policyMethod(name, policy, halfNoise), questions) }),
    }
    results[name]![dataset] = em
    console.log(name, dataset, em)
  }
}
const file = fileURLToPath(new URL(`../checkpoints/measured-${split}.json`, import.meta.url))
writeFileSync(file, `${JSON.stringify({ metric: 'greedy exact match', split, ...results }, null, 2)}\n`)
