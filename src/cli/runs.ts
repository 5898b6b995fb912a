import { Command } from 'commander'
import type { ColumnTable } from 'arquero'

/** `zerosearch runs`: what the folders of saved runs say. Tables are Markdown. */
export function runsCommand(): Command {
  const runs = new Command('runs').description('saved runs: a list, what differs, where two first part')
  runs
    .command('list')
    .argument('[folder]', 'looked through with the folders inside it', 'runs')
    .description('every run with its state and result')
    .action(async (folder: string) => print(await (await tables()).listRuns(folder)))
  runs
    .command('compare')
    .argument('<run...>', 'folders of at least two runs')
    .description('settings that differ, and results')
    .action(async (folders: string[]) => print(await (await tables()).compareRuns(folders)))
  runs
    .command('diff')
    .argument('<first>', 'folder of a run')
    .argument('<second>', 'folder of another')
    .description('where they first part; the exit code is 1 where they do')
    .action(async (first: string, second: string) => {
      const { diffRuns } = await import('../train/diff-runs.js')
      const { conclusion, identical } = await diffRuns(first, second)
      console.log(printable(conclusion))
      if (!identical) process.exitCode = 1
    })
  return runs
}

const tables = (): Promise<typeof import('../table/run-table.js')> => import('../table/run-table.js')

async function print(table: ColumnTable): Promise<void> {
  const { toMarkdown } = await import('../table/table-text.js')
  console.log(printable(toMarkdown(table)))
}

/** Names and errors of a run's folder must not speak to the terminal. */
const printable = (text: string): string => text.replace(/[^\P{Cc}\n]/gu, '�')
