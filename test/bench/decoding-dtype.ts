// What bfloat16 changes in decoding: log-probabilities of real text against float32's, and time by number of conversations.
// Run: npx tsx test/bench/decoding-dtype.ts MODEL [tokens of text, default 1000] [rounds, default 3]
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'

const [path, tokens = '1000', rounds = '3'] = process.argv.slice(2)
if (path === undefined) throw new Error('decoding-dtype: name a model')
const DTYPES = ['float32', 'bfloat16'] as const
const TEXTS = 8
const WARM = { temperature: 1, topP: 1, topK: 0 }

const models: Record<string, LocalModel> = {}
for (const decodingDtype of DTYPES) {
  const before = process.memoryUsage().rss
  models[decodingDtype] = await loadModel(path, { slots: 32, contextLength: 512, decodingDtype })
  console.log(`${decodingDtype}: ${((process.memoryUsage().rss - before) / 1e6).toFixed(0)} MB`)
}
const { tokenizer } = models['float32']!

/** Log-probabilities of the second half of each text's ids, whose first half is read before. */
const texts = ((): number[][] => {
  const length = 2 * Math.ceil(Number(tokens) / TEXTS)
  const all = tokenizer.encode(readFileSync(new URL('../../README.md', import.meta.url), 'utf8'))
  return Array.from({ length: TEXTS }, (_, i) => all.slice(i * length, (i + 1) * length)).filter(
    (ids) => ids.length > 2,
  )
})()

async function distributions(model: LocalModel, ids: number[]): Promise<Float32Array[]> {
  const conversation = await model.start(WARM, 0)
  const half = Math.floor(ids.length / 2)
  const found = [await conversation.nextLogprobs!(ids.slice(0, half))]
  for (const id of ids.slice(half, -1)) found.push(await conversation.nextLogprobs!([id]))
  conversation.end()
  return found
}

const gaps: number[] = []
let [divergence, agreed] = [0, 0]
const best = (logprobs: Float32Array): number =>
  logprobs.reduce((at, value, id) => (value > logprobs[at]! ? id : at), 0)
await Promise.all(
  texts.map(async (ids) => {
    const [exact, rounded] = await Promise.all(DTYPES.map((dtype) => distributions(models[dtype]!, ids)))
    const next = ids.slice(Math.floor(ids.length / 2))
    next.forEach((id, i) => {
      const [p, q] = [exact![i]!, rounded![i]!]
      gaps.push(Math.abs(p[id]! - q[id]!))
      divergence += p.reduce((sum, logprob, at) => sum + Math.exp(logprob) * (logprob - q[at]!), 0)
      if (best(p) === best(q)) agreed++
    })
  }),
)
gaps.sort((a, b) => a - b)
const mean = gaps.reduce((sum, gap) => sum + gap, 0) / gaps.length
console.log(
  `${gaps.length} tokens of text: log-probabilities differ by ${mean.toFixed(4)} in the mean, ` +
    `${gaps[Math.floor(gaps.length * 0.99)]!.toFixed(3)} at the 99th percentile, ${gaps.at(-1)!.toFixed(3)} at most; ` +
    `KL ${(divergence / gaps.length).toExponential(1)}; likeliest token the same in ${((agreed / gaps.length) * 100).toFixed(1)} %`,
)

/** Seconds that so many conversations take for a prefill of 128 ids and 32 tokens. */
async function seconds(model: LocalModel, conversations: number): Promise<{ prefill: number; decode: number }> {
  const all = await Promise.all(Array.from({ length: conversations }, (_, i) => model.start(WARM, i)))
  const timed = async (ids: (i: number) => number[], maxTokens: number): Promise<number> => {
    const started = performance.now()
    await Promise.all(
      all.map(async (conversation, i) => {
        // Through the ends that a model says before.
        let next = ids(i)
        for (let left = maxTokens; left > 0; next = [11])
          left -= (await conversation.generate(next, { maxTokens: left, stop: [] })).ids.length
      }),
    )
    return (performance.now() - started) / 1000
  }
  const prefill = await timed((i) => Array.from({ length: 128 }, (_, t) => 10 + ((t * 7919 + i * 104_729) % 2000)), 1)
  const decode = await timed(() => [11], 32)
  all.forEach((conversation) => conversation.end())
  return { prefill, decode }
}

console.log(`load ${loadavg()[0]!.toFixed(1)}; the best of ${rounds} rounds, in turns`)
for (const conversations of [1, 8, 32]) {
  const best = DTYPES.map(() => ({ prefill: Infinity, decode: Infinity }))
  for (let round = 0; round <= Number(rounds); round++) {
    for (const [i, dtype] of DTYPES.entries()) {
      const { prefill, decode } = await seconds(models[dtype]!, conversations)
      if (round === 0) continue
      best[i] = { prefill: Math.min(best[i]!.prefill, prefill), decode: Math.min(best[i]!.decode, decode) }
    }
  }
  const shown = (of: 'prefill' | 'decode', count: number): string =>
    DTYPES.map((dtype, i) => `${dtype} ${((conversations * count) / best[i]![of]).toFixed(0)} tokens/s`).join(', ') +
    ` (${(best[0]![of] / best[1]![of]).toFixed(2)}×)`
  console.log(`${conversations} conversations: prefill ${shown('prefill', 128)}; decoding ${shown('decode', 32)}`)
}
process.exit(0)
