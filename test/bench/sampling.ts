// What top-p and top-k cost a large model's decoding: seconds a token step for plain sampling and for each of them, in turns.
// Run: npx tsx test/bench/sampling.ts MODEL [tokens, default 24] [rounds, default 4]
import { loadModel } from '../../src/language-model/local-model.js'
import type { Sampling } from '../../src/policy/policy.js'

const [path, tokens = '24', rounds = '4'] = process.argv.slice(2)
if (path === undefined) throw new Error('sampling: name a model')
const model = await loadModel(path, { slots: 16, contextLength: 512 })
const prompt = model.tokenizer.encode('Once upon a time there was a lighthouse at the end of the sea, and in it')
const WAYS: Record<string, Sampling> = {
  plain: { temperature: 1, topP: 1, topK: 0 },
  'top-p 0.9': { temperature: 1, topP: 0.9, topK: 0 },
  'top-k 50': { temperature: 1, topP: 1, topK: 50 },
  both: { temperature: 1, topP: 0.9, topK: 50 },
}

/** Milliseconds of one step of so many conversations. */
async function step(sampling: Sampling, conversations: number): Promise<number> {
  const all = await Promise.all(Array.from({ length: conversations }, (_, i) => model.start(sampling, i)))
  const generate = (count: number) => Promise.all(all.map((one) => one.generate([], { maxTokens: count, stop: [] })))
  await Promise.all(all.map((one) => one.generate(prompt, { maxTokens: 2, stop: [] })))
  const started = performance.now()
  const made = await generate(Number(tokens))
  const seconds = performance.now() - started
  all.forEach((one) => one.end())
  return seconds / Math.max(...made.map(({ ids }) => ids.length))
}

const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
for (const conversations of [1, 16]) {
  const times: Record<string, number[]> = {}
  for (let round = -1; round < Number(rounds); round++) {
    for (const [way, sampling] of Object.entries(WAYS)) {
      const time = await step(sampling, conversations)
      if (round >= 0) (times[way] ??= []).push(time)
    }
  }
  const plain = median(times['plain']!)
  for (const [way, values] of Object.entries(times)) {
    const ms = median(values)
    console.log(
      `${conversations} conversations, ${way.padEnd(10)} ${ms.toFixed(1)} ms, ${(((ms - plain) / ms) * 100).toFixed(0)} % of it`,
    )
  }
}
model.dispose()
