#!/usr/bin/env node
// The command `zerosearch`.
import { Command, InvalidArgumentError, Option } from 'commander'
import { askKey } from '../display/ask-key.js'
import type { Place } from './jupyter-paths.js'
import type { EvaluateCommand } from './evaluate.js'
import { installKernel, listKernels, uninstallKernel } from './kernelspec.js'
import { DATA_EXIT_CODES, EVALUATION_EXIT_CODES, EXIT_CODES } from './exit-codes.js'
import { runsCommand } from './runs.js'
import type { ScoreOptions } from './score.js'
import type { ServeArguments } from './serve.js'
import type { TrainCommand } from './train.js'
import type { SimulatorDataCommand } from './simulator-data.js'

interface PlaceOptions {
  user?: true
  sysPrefix?: true
  prefix?: string
}

const place = ({ sysPrefix, prefix }: PlaceOptions): Place =>
  sysPrefix ? { sysPrefix } : prefix === undefined ? { user: true } : { prefix }

const withPlace = (command: Command): Command =>
  command
    .addOption(new Option('--user', 'for this user (the default)').conflicts(['sysPrefix', 'prefix']))
    .addOption(new Option('--sys-prefix', 'for the Python environment that is active').conflicts('prefix'))
    .addOption(new Option('--prefix <folder>', 'under <folder>/share/jupyter/kernels'))

const STATES = { ready: '', missing: '  (its files are gone)', other: '  (of another clone)' }

const program = new Command('zerosearch')
  .description('ZeroSearch in a TypeScript notebook')
  .option(
    '--ask-key <name>',
    'asks for a key in the terminal, which does not show it: OPENAI_API_KEY; again for more',
    (name: string, others: string[]) => [...others, name],
    [],
  )
  .configureHelp({ showGlobalOptions: true })
  .hook('preAction', async (main) => {
    for (const name of main.opts<{ askKey: string[] }>().askKey) await askKey(name)
  })
const kernel = program
  .command('kernel')
  .description("the Jupyter kernel of this clone, in any Jupyter's list of kernels")
withPlace(kernel.command('install').description('add it, or bring it up to date')).action(
  async (options: PlaceOptions) => console.log(`installed ${await installKernel(place(options))}`),
)
withPlace(kernel.command('uninstall').description('take it away')).action((options: PlaceOptions) =>
  console.log(`removed ${uninstallKernel(place(options))}`),
)
kernel
  .command('list')
  .description('where Jupyter finds it')
  .action(() => {
    const found = listKernels()
    for (const { folder, launcher, state } of found) console.log(`${folder}  ->  ${launcher}${STATES[state]}`)
    if (found.length === 0) console.log('not installed; `zerosearch kernel install` does it')
  })

program
  .command('score <predictions>')
  .description("scores answers in a file: exact match, cover EM, F1, the paper's own EM")
  .option('--questions <file...>', 'question sets whose gold answers are found by id')
  .option('--dataset <name>', 'name of the set, where the file does not say it')
  .option('--method <name>', 'name of the method, where the file does not say it')
  .option('--out <file>', 'writes the scores as JSONL')
  .action(async (path: string, options: ScoreOptions) => {
    const { score } = await import('./score.js')
    console.log(await score(path, options))
  })

const number = (text: string): number => {
  const value = text.trim() === '' ? NaN : Number(text)
  if (Number.isNaN(value)) throw new InvalidArgumentError('It must be a number.')
  return value
}

program
  .command('serve')
  .description(
    "a search engine as Search-R1's and ZeroSearch's /retrieve, language models as OpenAI's chat, until Ctrl-C or SIGTERM",
  )
  .option('--corpus <file>', 'searches these documents by BM25 (JSONL, Parquet, CSV)')
  .option('--index <folder>', 'searches this saved BM25 index')
  .option(
    '--simulator <model>',
    'this LLM plays the search engine: a folder, a GGUF file, a name of the hub, smollm2, mini',
  )
  .option('--model <model>', 'serves this LLM for chats; the simulator is served as well')
  .option('--server <url...>', 'the LLMs are behind these OpenAI-compatible servers, rather than in this process')
  .addOption(new Option('--mode <mode>', 'how the simulator is prompted (default prompt)').choices(['prompt', 'sft']))
  .option('--noise <probability>', 'of noisy documents, at the first update', number)
  .option('--noise-end <probability>', 'at the last update; queries must then carry their step', number)
  .option('--updates <count>', 'number of the updates that the step of a query counts', number)
  .option('--topk <count>', 'documents where a client names no number (default 3)', number)
  .option('--host <host>', "another than this machine's own demands ZEROSEARCH_SERVE_TOKEN in the environment")
  .option('--port <port>', 'default 8000; 0 for any that is free', number)
  .option('--concurrency <count>', 'searches, and completions, at once (default 64)', number)
  .action(async (options: ServeArguments) => {
    const { serveUntilStopped } = await import('./serve.js')
    await serveUntilStopped(options)
  })
program.addCommand(runsCommand())
program
  .command('train <config>')
  .description('trains as a configuration file says (zs.readRunConfig tells its settings)')
  .option('--resume', 'goes on with the run in saveTo as it was last saved')
  .addOption(new Option('--overwrite', 'replaces the run in saveTo').conflicts('resume'))
  .addHelpText('after', () => EXIT_CODES)
  .action(async (config: string, options: TrainCommand) => {
    const { runTraining } = await import('./train.js')
    process.exitCode = await runTraining(config, options)
  })
program
  .command('evaluate <config>')
  .description('scores methods on questions as a configuration file says (zs.readEvaluationConfig tells its settings)')
  .option('--resume', 'goes on with the evaluation in saveTo: what is scored is not asked again')
  .addOption(new Option('--overwrite', 'replaces the evaluation in saveTo').conflicts('resume'))
  .addHelpText('after', () => EVALUATION_EXIT_CODES)
  .action(async (config: string, options: EvaluateCommand) => {
    const { runEvaluation } = await import('./evaluate.js')
    process.exitCode = await runEvaluation(config, options)
  })

program
  .command('simulator-data <config>')
  .description(
    'collects data that teaches a simulator, as a configuration file says (zs.readSimulatorDataConfig tells its settings)',
  )
  .option('--resume', 'goes on with what saveTo holds')
  .addOption(new Option('--overwrite', 'replaces the data in saveTo').conflicts('resume'))
  .addHelpText('after', () => DATA_EXIT_CODES)
  .action(async (config: string, options: SimulatorDataCommand) => {
    const { collectSimulatorData } = await import('./simulator-data.js')
    process.exitCode = await collectSimulatorData(config, options)
  })

try {
  await program.parseAsync()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
