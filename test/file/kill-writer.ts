import { spawn } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { recoverFolder } from '../../src/file/write-folder.js'

const WRITER = join(import.meta.dirname, 'endless-writer.ts')

/** Runs the endless writer; `onLine` gets what it prints. */
export function startWriter(
  args: readonly string[],
  onLine: (line: string) => void,
): { kill(): void; ended: Promise<void> } {
  const child = spawn(process.execPath, ['--import', 'tsx', WRITER, ...args], { stdio: ['ignore', 'pipe', 'inherit'] })
  let text = ''
  child.stdout.on('data', (chunk: Buffer) => {
    const lines = (text + chunk.toString()).split('\n')
    text = lines.pop()!
    lines.forEach(onLine)
  })
  const ended = new Promise<void>((resolve) => child.once('close', () => resolve()))
  return { kill: () => void child.kill('SIGKILL'), ended }
}

/** The number that all files of the folder hold; throws where they differ or one is cut. */
export function readNumber(folder: string): number {
  const [a, b] = ['number.txt', join('within', 'number.txt')].map((name) => readFileSync(join(folder, name), 'utf8'))
  const number = Number(a!.split(' ')[0])
  if (a === undefined || a !== b || a.length !== String(number).length + 50_001)
    throw new Error(`${folder} is not whole: ${number}`)
  return number
}

/**
 * Kills a writer of a folder at a random moment, or right after one of its renames, again and again, and looks each time
 * whether the folder is whole: the last one that was written, or the one after it.
 * @returns in how many rounds the folder was away, between two renames, and had to be put back
 */
export async function killWriters(folder: string, rounds: number, random: () => number): Promise<number> {
  let recovered = 0
  let number = 0
  for (let round = 0; round < rounds; round++) {
    let written = number
    let refused = ''
    const itself = round % 2 === 1 ? [String(1 + Math.floor(random() * 25))] : []
    let kill: NodeJS.Timeout | undefined
    const writer = startWriter([folder, String(number + 1), 'Infinity', ...itself], (line) => {
      if (/^\d+$/.test(line)) written = Number(line)
      else if (line !== 'ready') refused = line
      if (itself.length === 0 || refused !== '') kill ??= setTimeout(() => writer.kill(), random() * 80)
    })
    await writer.ended
    clearTimeout(kill)
    if (refused !== '') throw new Error(`round ${round}: ${refused}`)
    if (round === 0 && written === 0) {
      await recoverFolder(folder)
      if (!existsSync(folder)) continue
    }
    if (!existsSync(folder)) recovered++
    await recoverFolder(folder)
    number = readNumber(folder)
    if (number !== written && number !== written + 1) {
      throw new Error(`round ${round}: ${written} was written, ${number} is there`)
    }
  }
  return recovered
}
