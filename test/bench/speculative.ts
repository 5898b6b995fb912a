// What speculative decoding by prompt lookup brings: the same questions, with documents in the conversation, answered with
// and without, in turns. Tokens must be the same.
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

/** A model whose tokens and the seconds that they take are counted, prompts apart. */
interface Counted {
  policy: Policy
  ids: Map<number, number[]>
}

function counted(model: LocalModel): Counted {
  const ids = new Map<number, number[]>()
  const policy: Policy = {
    ...model,
    async start(sampling, seed) {
      const conversation = await model.start(sampling, seed)
      ids.set(seed, [])
      return {
        end: () => conversation.end(),
        async generate(...given) {
          const generation = await conversation.generate(...given)
          ids.get(seed)!.push(...generation.ids)
          return generation
        },
      }
    },
  }
  return { policy, ids }
}

const file = `${process.env['ZEROSEARCH_REALDATA']}/hotpotqa/hotpot_dev_distractor.jsonl`
const questions = isMini ? await miniQuestions('mini-hotpotqa', 'test') : await readQuestions(file)
const documents = isMini ? await miniDocuments('test') : (await readParagraphs(file)).documents
const searchEngine = await createBm25Engine(documents, { progress: false })

/** Ids of each conversation, and the seconds from when all prompts are read. */
async function answers(
  model: LocalModel,
  sampling: Sampling,
  count: number,
): Promise<{ ids: number[][]; seconds: number }> {
  const { policy, ids } = counted(model)
  const asked = questions.slice(0, count)
  if (isMini) {
    const started = performance.now()
    const items = asked.map((question, seed) => ({ question, seed }))
    await rollOutMany(policy, items, { searchEngine, protocol: miniProtocol, sampling, progress: false })
    return { ids: [...ids.values()], seconds: (performance.now() - started) / 1000 }
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
  return { ids: [...ids.values()], seconds: (performance.now() - started) / 1000 }
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const slots = isMini ? 64 : 16
const sides = {
  without: await loadModel(path, { slots, contextLength: 1024 }),
  with: await loadModel(path, { slots, contextLength: 1024, promptLookup: true }),
}
for (const [name, sampling] of Object.entries(SAMPLINGS)) {
  for (const count of conversations.split(',').map(Number)) {
    const seconds = { without: [] as number[], with: [] as number[] }
    let tokens = 0
    for (let round = -1; round < Number(rounds); round++) {
      const [plain, drafted] = [
        await answers(sides.without, sampling, count),
        await answers(sides.with, sampling, count),
      ]
      if (JSON.stringify(plain.ids) !== JSON.stringify(drafted.ids)) throw new Error('speculative: other tokens')
      tokens = plain.ids.reduce((sum, { length }) => sum + length, 0)
      if (round < 0) continue
      seconds.without.push(plain.seconds)
      seconds.with.push(drafted.seconds)
    }
    const [plain, drafted] = [median(seconds.without), median(seconds.with)]
    console.log(
      `${name}, ${count} conversations, ${tokens} tokens: ${(tokens / plain).toFixed(1)} tokens/s without, ` +
        `${(tokens / drafted).toFixed(1)} with, ${(plain / drafted).toFixed(2)}×; load ${loadavg()[0]!.toFixed(1)}`,
    )
  }
}
process.exit(0)
