#!/usr/bin/env node
// The command `zerosearch`.
import { Command, Option } from 'commander'
import type { Place } from './jupyter-paths.js'
import { installKernel, listKernels, uninstallKernel } from './kernelspec.js'
import { EXIT_CODES } from './exit-codes.js'
import type { ScoreOptions } from './score.js'
import type { TrainCommand } from './train.js'

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

const program = new Command('zerosearch').description('ZeroSearch in a TypeScript notebook')
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

try {
  await program.parseAsync()
} catch (error) {
  console.error(error instanceof Error ? error.message : error)
  process.exitCode = 1
}
