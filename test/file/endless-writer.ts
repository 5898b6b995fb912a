// A process that writes one folder again and again until it is killed: the number of the writing stands in all its files.
// Arguments: the folder, the first number, how many are written, and after how many renames it kills itself, for a kill
// from outside seldom falls between two of them. It prints each number that is written, and what it was refused.
import fs, { mkdir, writeFile } from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import { join } from 'node:path'
import { openFolder } from '../../src/file/write-folder.js'
import type { FolderKind } from '../../src/file/write-folder.js'

export const NUMBERED: FolderKind = { operation: 'count', what: 'number', marker: 'number.txt', owns: () => true }

const FILLER = 'x'.repeat(50_000)

export async function fill(aside: string, number: number): Promise<void> {
  await writeFile(join(aside, 'number.txt'), `${number} ${FILLER}`)
  await mkdir(join(aside, 'within'))
  await writeFile(join(aside, 'within', 'number.txt'), `${number} ${FILLER}`)
}

/** Has this process kill itself right after so many renames. */
export function killAfter(renames: number): void {
  const { rename } = fs
  fs.rename = async (from, to) => {
    await rename(from, to)
    if (--renames === 0) process.kill(process.pid, 'SIGKILL')
  }
  syncBuiltinESMExports()
}

if (import.meta.filename === process.argv[1]) {
  const [folder, first, rounds, renames] = process.argv.slice(2)
  const last = Number(first) + Number(rounds)
  if (renames !== undefined) killAfter(Number(renames))
  console.log('ready')
  for (let number = Number(first); number < last;) {
    try {
      const writer = await openFolder(folder!, NUMBERED, { overwrite: true })
      // Several in one go as a training run does, and single ones as a save does.
      for (let i = 0; i < 3 && number < last; i++) {
        await writer.write((aside) => fill(aside, number))
        console.log(number++)
      }
      await writer.close()
    } catch (error) {
      console.log(error instanceof Error ? error.message : error)
      number++
    }
  }
}
