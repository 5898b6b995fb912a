// An evaluation in a process of its own, for tests that kill it: evaluee.ts FOLDER LOG [RENAME]. Each question that is asked is a
// line of LOG. With RENAME the process kills itself right after so many renames of files.
import fs, { appendFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { syncBuiltinESMExports } from 'node:module'
import { evaluate } from '../../src/evaluation/evaluate.js'
import { attempt } from '../../src/evaluation/methods/attempt.js'
import type { Method } from '../../src/evaluation/method.js'
import { uniform } from '../../src/random/seeded-random.js'
import type { Question } from '../../src/schema/question.js'

const [folder, log, rename] = process.argv.slice(2) as [string, string, string?]

if (rename !== undefined) {
  let left = Number(rename)
  const { rename: moved } = fs.promises
  fs.promises.rename = async (from, to) => {
    await moved(from, to)
    if (--left === 0) process.kill(process.pid, 'SIGKILL')
  }
  syncBuiltinESMExports()
}

export const QUESTIONS = Array.from({ length: 60 }, (_, n): Question => {
  const dataset = n % 3 === 0 ? 'one' : 'two'
  return { id: `${dataset}-${n}`, dataset, question: `who is n${n}?`, goldAnswers: [`Ada ${n}`, 'Änne'] }
})

/** Answers after up to 12 ms; what it answers, how often it searches and whether it fails is drawn. */
const scripted = (name: string): Method => ({
  name,
  budget: { searches: 3 },
  settings: { name },
  answer: (question, context) =>
    attempt(question, context, { searches: 3 }, async (running) => {
      appendFileSync(log, `${name} ${question.id}\n`)
      const { seed } = context
      await new Promise((resolve) => setTimeout(resolve, uniform(Math.floor(Math.random() * 1e9)) * 12))
      if (uniform(seed, 1) < 0.05) throw new Error('the engine is away')
      running.spent.searches = Math.floor(uniform(seed, 2) * 4)
      const answer = uniform(seed, 3) < 0.5 ? question.goldAnswers[1]! : `no\u2028 ${seed}`
      running.say(answer, { kind: 'answer', answer })
      return { answer, stopReason: 'answer' }
    }),
})

await evaluate({
  methods: [scripted('first'), scripted('second')],
  questions: QUESTIONS,
  concurrency: 4,
  saveTo: folder,
  resume: existsSync(join(folder, 'evaluation.json')),
  trajectories: true,
})
console.log('done')
