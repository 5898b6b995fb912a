// This project's side of the benchmark: one measurement a process, so that memory and threads start clean.
// Usage: tsx measure-own.ts KIND FOLDER JSON   → one JSON line
import { exactMatch } from '../../src/reward/answer-metrics.js'
import { loadModel } from '../../src/language-model/local-model.js'
import type { DecodingType } from '../../src/policy/decoder.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import { compileCount } from '../../src/tensor/compile.js'
import { createLearner } from '../../src/train/run-config.js'
import { trainSupervised } from '../../src/train/supervised.js'
import { settingsOf } from '../train/settings.js'

const [kind, folder, text] = process.argv.slice(2) as [string, string, string]
const options = JSON.parse(text) as Record<string, number> & { bfloat16?: boolean; decodingDtype?: DecodingType }
const { batch = 1, time = 128, tokens = 128, repeats = 5, tokensPerCall = 8 } = options
const ids = (count: number, seed: number): number[] =>
  Array.from({ length: count }, (_, i) => 10 + ((i * 7919 + seed * 104_729) % 2000))
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const { decodingDtype = 'float32' } = options
const policy = await loadModel(folder, { slots: kind === 'train' ? 1 : batch, tokensPerCall, decodingDtype })
const report = (result: object): void => {
  // Linux counts it in KiB.
  const peakBytes = process.resourceUsage().maxRSS * 1024
  console.log(JSON.stringify({ ...result, peakBytes, compiled: compileCount() }))
}

if (kind === 'train') {
  const times: number[] = []
  let last = performance.now()
  // The last step has sequences that are a little shorter: nothing may be compiled for them.
  const length = (step: number): number => (step === repeats + 2 ? time - 5 : time)
  await trainSupervised({
    policy,
    steps: repeats + 3,
    bfloat16: options.bfloat16 ?? false,
    microbatchTokens: batch * time,
    batch: (step) =>
      Array.from({ length: batch }, (_, i) => ({
        ids: ids(length(step), i),
        tokenWeights: new Array<number>(length(step)).fill(1),
      })),
    learningRate: () => 1e-5,
    onStep: () => {
      times.push(performance.now() - last)
      last = performance.now()
    },
  })
  report({ ms: median(times.slice(2, -1)), firstMs: times[0], otherLengthMs: times[times.length - 1] })
}

if (kind === 'decode') {
  const times: number[] = []
  for (let repeat = 0; repeat < repeats + 2; repeat++) {
    const started = performance.now()
    const length = repeat === repeats + 1 ? time - 5 : time
    await Promise.all(
      Array.from({ length: batch }, async (_, i) => {
        const conversation = await policy.start({ temperature: 1, topP: 1, topK: 0 }, repeat * 1000 + i)
        let made = 0
        let next = ids(length, i)
        // The vocabulary's end token may be drawn: go on until the tokens are made.
        while (made < tokens) {
          const generation = await conversation.generate(next, { maxTokens: tokens - made, stop: [] })
          made += generation.ids.length
          next = [11]
        }
        conversation.end()
      }),
    )
    times.push(performance.now() - started)
  }
  report({ ms: median(times.slice(1, -1)), firstMs: times[0], otherLengthMs: times[times.length - 1] })
}

if (kind === 'grpo' || kind === 'ppo') {
  const { epochs = 1, minibatches = 1, microbatchTokens = 8192 } = options
  const learner = await createLearner(
    policy,
    settingsOf(kind, {
      ...{ microbatchTokens, epochs, minibatchTrajectories: batch / minibatches },
      bfloat16: options.bfloat16 ?? false,
    }),
  )
  const times: number[] = []
  const learning: number[] = []
  for (let repeat = 0; repeat < repeats + 1; repeat++) {
    const started = performance.now()
    const trajectories = await Promise.all(
      Array.from({ length: batch }, async (_, i): Promise<Trajectory> => {
        const prompt = ids(time, Math.floor(i / 5))
        const conversation = await policy.start({ temperature: 1, topP: 1, topK: 0 }, repeat * 1000 + i)
        const generation = await conversation.generate(prompt, { maxTokens: tokens, stop: [] })
        conversation.end()
        return {
          question: { id: String(i), dataset: 'bench', question: '', goldAnswers: [''] },
          turns: [],
          ids: [...prompt, ...generation.ids],
          lossMask: [...prompt.map(() => 0), ...generation.ids.map(() => 1)],
          logprobs: [...prompt.map(() => 0), ...generation.logprobs],
          promptLength: prompt.length,
          answer: generation.text,
          stopReason: 'answer',
          searches: 0,
          seed: i,
        }
      }),
    )
    const groups = Array.from({ length: Math.ceil(batch / 5) }, (_, group) => {
      const members = trajectories.slice(group * 5, group * 5 + 5)
      const rewards = members.map(({ answer }, i) => exactMatch(answer, ['x']) + (i - 2) / 2)
      return { question: members[0]!.question, trajectories: members, rewards }
    })
    const played = performance.now()
    await learner.step(groups, 1e-6)
    learning.push(performance.now() - played)
    times.push(performance.now() - started)
  }
  report({ ms: median(times.slice(1)), firstMs: times[0], learnMs: median(learning.slice(1)) })
}
process.exit(0)
