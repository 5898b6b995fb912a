// A process that trains in a folder until its end or until it is killed, and goes on with what is there. Arguments: the
// model (`tiny`, which says what a script says, or `mini`), the folder, how many updates the run has, and after how many
// renames the process kills itself, for a kill from outside seldom falls between two of them. It keeps all that a run can
// keep. It prints `ready`, a line for each update, and `done`.
import { miniCheckpoint, miniDocuments, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { loadModel } from '../../src/language-model/local-model.js'
import { createBm25Engine } from '../../src/search/bm25.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { killAfter } from '../file/endless-writer.js'
import { aQuestion, tinyPolicy } from './tiny-policy.js'

const [model, folder, updates, renames] = process.argv.slice(2)
const options: Record<string, () => Promise<Pick<TrainOptions, 'policy' | 'searchEngine' | 'questions'>>> = {
  tiny: async () => {
    // Right and wrong by turns: an update has an even number of rollouts, so a resumed run says the same.
    let message = 0
    return {
      policy: await tinyPolicy(() => (message++ % 2 ? '<answer> Rome</answer>' : '<answer> Lima</answer>')),
      searchEngine: { name: 'none', search: () => Promise.resolve([]) },
      questions: [aQuestion(1), aQuestion(2), aQuestion(3)],
    }
  },
  mini: async () => ({
    policy: await loadModel(miniCheckpoint('policy'), { slots: 4 }),
    searchEngine: await createBm25Engine(await miniDocuments('validation')),
    questions: await miniQuestions('mini-nq', 'train'),
  }),
}

const run: TrainOptions = {
  algorithm: 'grpo',
  ...(await options[model!]!()),
  protocol: { ...miniProtocol, maxTokens: 200 },
  curriculum: { start: 0, end: 0.5 },
  updates: Number(updates),
  questionsPerUpdate: 2,
  groupSize: 2,
  learningRate: 1e-3,
  saveTo: folder!,
  saveEvery: { updates: 2 },
  trajectories: Number(updates) % 2 === 1 ? 'jsonl' : 'parquet',
  tensorBoard: true,
  keepBest: 'score',
  seed: 5,
  onUpdate: ({ update }) => {
    console.log(update)
    return { seen: [update, NaN], score: (update * 3) % 5 }
  },
}
if (renames !== undefined) killAfter(Number(renames))
console.log('ready')
try {
  await train({ ...run, resume: true })
} catch (error) {
  if (!String(error).includes('there is no run to resume')) throw error
  await train(run)
}
console.log('done')
