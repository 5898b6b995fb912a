// Teaches SmolLM2-135M-Instruct to play the search engine, on real questions and paragraphs, and measures it before and after:
//   ZEROSEARCH_REALDATA=… npm run simulator:smollm2
// A folder with corpora/wiki18-single-hop.jsonl ({ id, title, text }) and FlashRAG's nq, popqa and triviaqa, as README.md says.
// A run that was ended goes on where it was.
import { existsSync } from 'node:fs'
import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import * as zs from '../../src/index.js'

const data = process.env['ZEROSEARCH_REALDATA'] ?? 'real-data'
const base = process.env['ZEROSEARCH_SMOLLM2'] ?? 'smollm2'
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const runs = 'runs/smollm2-simulator'

const DOCUMENTS = 3
const QUESTIONS = 220 // of each set
const TRIED = 32 // held-out examples that are tried
const TEMPERATURE = 0.8

const told = { useful: 'answer', noisy: 'question' } as const
// Three documents of 30 words are about 140 tokens.
const maxTokens = 240
const taughtPrompt = { ...zs.simulatorPrompt({ mode: 'sft', told }), maxTokens }
const explained = { ...zs.simulatorPrompt({ mode: 'prompt', told }), maxTokens }

/** Words that a person leaves out of a query. */
const IDLE =
  /\b(?:who|what|which|where|when|how|was|is|are|were|did|does|do|the|a|an|of|in|to|for|that|this|and|by|on|it)\b/gi

/**
 * Too small to answer by itself: in its place a teacher writes. It searches for the question or, at every other seed, its words
 * without the idle ones. It gives the gold answer where a document holds it, else the title of the first document, which is wrong.
 */
const demonstrator: zs.PlayerMethod = (policy, { searchEngine }) => ({
  name: 'demonstrator',
  answer(question, { seed, signal }) {
    const words = question.question
      .replace(IDLE, ' ')
      .replace(/[?\s]+/g, ' ')
      .trim()
    const query = seed % 2 === 0 || words === '' ? question.question : words
    const teacher: zs.Teacher = ([found]) => {
      if (!found) return `<search> ${query} </search>`
      const gold = question.goldAnswers.find((answer) => found.some(({ text }) => zs.containsAnswer(text, [answer])))
      return `<answer> ${gold ?? found[0]?.title ?? 'unknown'} </answer>`
    }
    return zs.demonstrate(policy, question, teacher, { searchEngine, topK: DOCUMENTS, signal })
  },
})

const questions: zs.Question[] = []
for (const set of ['nq', 'popqa', 'triviaqa'])
  questions.push(
    ...(await zs.readQuestions(join(data, set, 'flashrag.test.1000.jsonl'), { dataset: set })).slice(0, QUESTIONS),
  )
const searchEngine = await zs.createBm25Engine(await zs.readDocuments(join(data, 'corpora/wiki18-single-hop.jsonl')), {
  k1: 0.9,
  b: 0.4,
})
const model = await zs.loadModel(base, {
  name: 'smollm2',
  slots: 24,
  contextLength: 1024,
  adapter: { rank: 8, alpha: 16 },
})

const collected = join(runs, 'data')
const built = await zs.buildSimulatorData({
  model,
  searchEngine,
  questions,
  method: demonstrator,
  prompt: taughtPrompt,
  judge: { metric: 'em' },
  saveTo: collected,
  resume: existsSync(collected),
})
console.log(JSON.stringify(built.counts, null, 2))
const heldOut = (await zs.readSimulatorExamples(built.heldOut!)).slice(0, TRIED)

// Before: a new adapter changes nothing.
const texts = zs.cached(model, { folder: join(runs, 'texts') })
const before = await zs.calibrateSimulator(
  zs.createSimulator(texts, { prompt: explained, temperature: TEMPERATURE }),
  searchEngine,
  heldOut,
  { name: 'prompted', topK: DOCUMENTS, concurrency: 24 },
)
await texts.close()
console.log('before', before.useful, before.noisy)
const sft = join(runs, 'sft')
const losses = await zs.finetune({
  model,
  // Every other one, for the time it takes: half an hour on two busy cores.
  examples: (await zs.readExamples(built.train)).filter((_, i) => i % 2 === 0),
  epochs: 1,
  batchSize: 8,
  learningRate: 1e-3,
  warmupRatio: 0.1,
  saveTo: sft,
  resume: existsSync(sft),
  onStep: ({ step, loss }) => console.log(`step ${step}: loss ${loss.toFixed(3)}`),
})
const after = await zs.calibrateSimulator(
  zs.createSimulator(model, { prompt: taughtPrompt, temperature: TEMPERATURE }),
  searchEngine,
  heldOut,
  { name: 'taught', topK: DOCUMENTS, concurrency: 24 },
)
console.log('after', after.useful, after.noisy)

const adapter = here('smollm2-adapter')
await model.save(adapter, { dtype: 'bfloat16', overwrite: existsSync(adapter) })
// A base from a folder of one's own is the same model.
const config = join(adapter, 'adapter_config.json')
await writeFile(config, (await readFile(config, 'utf8')).replace(JSON.stringify(base), '"smollm2"'))
await writeFile(
  here('smollm2-measured.json'),
  `${JSON.stringify(
    {
      measured: [before, after].map(({ searches: _, ...calibration }) => calibration),
      loss: { first: losses[0]!.loss, last: losses.at(-1)!.loss, steps: losses.length },
      counts: built.counts,
    },
    null,
    2,
  )}\n`,
)
model.dispose()
