// How long prefill and decoding take where few of many slots have work, and rollouts of one search whose documents come
// late: each conversation has a prompt, says a search, waits, reads documents and answers. Delays are scripted.
// Run: npx tsx test/bench/ragged.ts MODEL [slots, default 24] [rollouts, default 48]
// Wall time depends on what else runs on the machine; processor time ("cpu", of all cores) less so.
import { uniform } from '../../src/random/seeded-random.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { Conversation, Sampling } from '../../src/policy/policy.js'
import { compileCount } from '../../src/tensor/compile.js'

const [folder, slotsText = '24', rolloutsText = '48'] = process.argv.slice(2)
if (!folder) throw new Error('bench: the first argument must be a model folder or name')
const [slots, rollouts] = [Number(slotsText), Number(rolloutsText)]
const PROMPT = 400
const TOKENS = 32
const WARM: Sampling = { temperature: 1, topP: 1, topK: 0 }

const policy = await loadModel(folder, { slots, contextLength: 1024 })
const vocabulary = policy.tokenizer.vocabSize
const ids = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => Math.floor(uniform(seed, i) * vocabulary))

interface Times {
  wall: number
  cpu: number
}

async function timed(work: () => Promise<unknown>): Promise<Times> {
  const [wall, cpu] = [performance.now(), process.cpuUsage()]
  await work()
  const { user, system } = process.cpuUsage(cpu)
  return { wall: (performance.now() - wall) / 1000, cpu: (user + system) / 1e6 }
}
const show = ({ wall, cpu }: Times): string => `${wall.toFixed(2)} s (cpu ${cpu.toFixed(2)} s)`

/** Samples so many tokens, through the ends that a model says before. */
async function sample(conversation: Conversation, count: number, begin: readonly number[]): Promise<void> {
  let left = count
  let next = begin
  while (left > 0) {
    const generation = await conversation.generate(next, { maxTokens: left, stop: [] })
    left -= generation.ids.length
    next = [11]
  }
}

console.log(
  `first answer, 16 tokens: ${show(
    await timed(async () => {
      const conversation = await policy.start(WARM, 0)
      await sample(conversation, 16, ids(40, 0))
      conversation.end()
    }),
  )}`,
)

for (const atWork of [1, 2, 3, 16, 24].filter((count) => count <= slots)) {
  // The first round traces what is new.
  for (const round of [0, 1]) {
    const all = await Promise.all(Array.from({ length: atWork }, (_, i) => policy.start(WARM, i)))
    const prefill = await timed(() =>
      Promise.all(all.map((conversation, i) => sample(conversation, 1, ids(PROMPT, i + 1)))),
    )
    const decode = await timed(() => Promise.all(all.map((conversation) => sample(conversation, TOKENS, [11]))))
    all.forEach((conversation) => conversation.end())
    if (round === 0) continue
    const speed = ((atWork * TOKENS) / decode.wall).toFixed(0)
    console.log(
      `${atWork} of ${slots} at work: ${PROMPT} ids each ${show(prefill)}, ${TOKENS} tokens each ${show(decode)}, ` +
        `${speed} tokens/s`,
    )
  }
}

const [count, resident] = [compileCount(), process.memoryUsage().rss]
const ragged = await timed(() =>
  Promise.all(
    Array.from({ length: rollouts }, async (_, i) => {
      const conversation = await policy.start(WARM, 100 + i)
      await sample(conversation, 12 + Math.floor(uniform(1, i) * 16), ids(60, i))
      await new Promise((resolve) => setTimeout(resolve, uniform(2, i) * 600))
      await sample(conversation, 20 + Math.floor(uniform(3, i) * 30), ids(220 + Math.floor(uniform(4, i) * 100), i))
      conversation.end()
    }),
  ),
)
console.log(
  `${rollouts} rollouts of one search, about 390 ids each: ${show(ragged)}; functions traced meanwhile: ` +
    `${compileCount() - count}, memory ${(resident / 1e9).toFixed(1)} GB`,
)
policy.dispose()
process.exit(0)
