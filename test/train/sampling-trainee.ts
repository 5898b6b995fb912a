// As trainee.ts, for what has more state than GRPO's whole policy: a tiny checkpoint of random weights that really samples. Arguments:
// what is trained (`ppo`, `dapo`, `adapter`, `finetune`), the folder, how many updates, and after how many renames the process
// kills itself.
import { join } from 'node:path'
import { loadModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { finetune } from '../../src/train/finetune.js'
import { train } from '../../src/train/train.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { killAfter } from '../file/endless-writer.js'
import { aQuestion } from './tiny-policy.js'

const [kind, folder, count, renames] = process.argv.slice(2) as [string, string, string, string?]
const CHECKPOINT = join(import.meta.dirname, '../parity/fixtures/checkpoints/qwen2')
const QUESTIONS = Array.from({ length: 7 }, (_, i) => aQuestion(i))

const KINDS: Record<string, Partial<TrainOptions>> = {
  ppo: { algorithm: 'ppo', critic: { learningRate: 1e-3, warmupUpdates: 2 }, epochs: 2, minibatchTrajectories: 3 },
  // Half of the groups of two have no variance, so that most updates ask for further ones.
  dapo: { algorithm: 'dapo', groupSize: 2 },
  adapter: { algorithm: 'grpo' },
}

const common = { saveTo: folder, learningRate: 1e-3, seed: 5, progress: false }

async function begin(resume: boolean): Promise<void> {
  const policy = await loadModel(CHECKPOINT, { slots: 8, ...(kind === 'adapter' && { adapter: { rank: 4 } }) })
  if (kind === 'finetune') {
    const examples = QUESTIONS.flatMap(({ question }, i) =>
      [1, 2, 3].map((n) => ({ prompt: question, completion: ` ${i * n} it is.` })),
    )
    const settings = {
      epochs: Math.ceil(Number(count) / 5),
      batchSize: 4,
      heldOut: 0.1,
      evaluateEvery: 3,
      patience: 1000,
    }
    const onStep = ({ step }: { step: number }): void => console.log(step)
    await finetune({ ...common, ...settings, model: policy, examples, saveEvery: { steps: 2 }, resume, onStep })
    return
  }
  await train({
    ...common,
    ...(KINDS[kind] as TrainOptions),
    policy,
    questions: QUESTIONS,
    searchEngine: { name: 'none', search: () => Promise.resolve([]) },
    protocol: { ...miniProtocol, maxSearches: 1, maxTokensPerTurn: 12, maxTokens: 100 },
    curriculum: 0,
    updates: Number(count),
    questionsPerUpdate: 3,
    // What a policy of random weights writes is no answer: chance decides, alike in every process.
    reward: ({ ids }) => ids.reduce((sum, id) => sum + id, 0) % 2,
    saveEvery: { updates: 2 },
    trajectories: 'jsonl',
    tensorBoard: true,
    resume,
    onUpdate: ({ update }) => void console.log(update),
  })
}

if (renames !== undefined) killAfter(Number(renames))
console.log('ready')
try {
  await begin(true)
} catch (error) {
  if (!String(error).includes('there is no run to resume')) throw error
  await begin(false)
}
console.log('done')
