// What speculative decoding by prompt lookup brings: the same questions, with documents in the conversation, answered with
// and without, in turns, the best of the rounds. Tokens must be the same.
// Run: ZEROSEARCH_REALDATA=FOLDER npx tsx test/bench/speculative.ts MODEL [conversations, default 1,4,16] [rounds, default 3]
// A model of the mini world (a folder in data/mini) plays its own protocol on its own questions.
import { loadavg } from 'node:os'
import { readParagraphs } from '../../src/dataset/read-paragraphs.js'
import { readQuestions } from '../../src/dataset/read-questions.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import type { Policy, Sampling } from '../../src/policy/policy.js'
import { rollOutMany } from '../../src/rollout/roll-out.js'
import { createBm25Engine } from '../../src/search/bm25.js'

const [path, conversations = '1,4,16', rounds = '3'] = process.argv.slice(2)
if (path === undefined) throw new Error('speculative: name a model')
const isMini = path.includes('data/mini')
const SAMPLINGS: Record<string, Sampling> = {
  greedy: { temperature: 0, topP: 1, topK: 0 },
  'temperature 1': { temperature: 1, topP: 1, topK: 0 },
}
const TOKENS = 64

/** A model whose tokens are kept, and the calls that they take are counted, of each conversation for itself. */
interface Counted {
  policy: Policy
  ids: Map<number, number[]>
  calls: () => number
}

function counted(model: LocalModel): Counted {
  const ids = new Map<number, number[]>()
  let calls = 0
  const policy: Policy = {
    ...model,
    async start(sampling, seed) {
      const conversation = await model.start(sampling, seed)
      ids.set(seed, [])
      return {
        end: () => conversation.end(),
        async generate(given, limits) {
          const generation = await conversation.generate(given, limits, () => calls++)
          calls++
          ids.get(seed)!.push(...generation.ids)
          return generation
        },
      }
    },
  }
  return { policy, ids, calls: () => calls }
}

const file = `${process.env['ZEROSEARCH_REALDATA']}/hotpotqa/hotpot_dev_distractor.jsonl`
const questions = isMini ? await miniQuestions('mini-hotpotqa', 'test') : await readQuestions(file)
const documents = isMini ? await miniDocuments('test') : (await readParagraphs(file)).documents
const searchEngine = await createBm25Engine(documents, { progress: false })

/** Ids of each conversation, the calls for them, and the seconds: of a real model from when all prompts are read. */
async function answers(
  model: LocalModel,
  sampling: Sampling,
  count: number,
): Promise<{ ids: number[][]; calls: number; seconds: number }> {
  const { policy, ids, calls } = counted(model)
  const asked = questions.slice(0, count)
  if (isMini) {
    const started = performance.now()
    const items = asked.map((question, seed) => ({ question, seed }))
    await rollOutMany(policy, items, { searchEngine, protocol: miniProtocol, sampling, progress: false })
    return { ids: [...ids.values()], calls: calls(), seconds: (performance.now() - started) / 1000 }
  }
  const { tokenizer } = model
  const all = await Promise.all(
    asked.map(async (question, seed) => {
      const found = await searchEngine.search(question.question, { question, topK: 3 })
      const texts = found.map(({ title, text }) => `${title}: ${text}`).join('\n\n')
      const content = `${texts}\n\nQuestion: ${question.question}\nQuote the sentence that helps, then answer.`
      const prompt = tokenizer.encode(tokenizer.renderPrompt([{ role: 'user', content }]))
      const conversation = await policy.start(sampling, seed)
      await conversation.generate(prompt, { maxTokens: 1, stop: [] })
      return conversation
    }),
  )
  const started = performance.now()
  await Promise.all(all.map((conversation) => conversation.generate([], { maxTokens: TOKENS, stop: [] })))
  all.forEach((conversation) => conversation.end())
  return { ids: [...ids.values()], calls: calls(), seconds: (performance.now() - started) / 1000 }
}

const slots = isMini ? 64 : 16
const sides = {
  without: await loadModel(path, { slots, contextLength: 1024 }),
  with: await loadModel(path, { slots, contextLength: 1024, promptLookup: true }),
}
for (const [name, sampling] of Object.entries(SAMPLINGS)) {
  for (const count of conversations.split(',').map(Number)) {
    let [plainBest, draftedBest, tokens, perCall] = [Infinity, Infinity, 0, 0]
    for (let round = 0; round <= Number(rounds); round++) {
      const plain = await answers(sides.without, sampling, count)
      const drafted = await answers(sides.with, sampling, count)
      if (JSON.stringify(plain.ids) !== JSON.stringify(drafted.ids)) throw new Error('speculative: other tokens')
      tokens = plain.ids.reduce((sum, { length }) => sum + length, 0)
      perCall = tokens / drafted.calls
      // The first round traces.
      if (round === 0) continue
      plainBest = Math.min(plainBest, plain.seconds)
      draftedBest = Math.min(draftedBest, drafted.seconds)
    }
    console.log(
      `${name}, ${count} conversations, ${tokens} tokens: ${(tokens / plainBest).toFixed(1)} tokens/s without, ` +
        `${(tokens / draftedBest).toFixed(1)} with, ${(plainBest / draftedBest).toFixed(2)}×; ${perCall.toFixed(2)} tokens ` +
        `a call, ${((1 - 1 / perCall) * 100).toFixed(0)} % of them drafted; load ${loadavg()[0]!.toFixed(1)}`,
    )
  }
}
process.exit(0)
