// Running other programs, and faults that carry their remedy.
import { spawn, spawnSync } from 'node:child_process'
import { createInterface } from 'node:readline'
import { ROOT } from './paths.mjs'

/** A fault with its remedy: shown as it is, without a stack. */
export class SetupError extends Error {}

/** Enough of what a failed program said to see why it failed: npm says it first, compilers and pip say it last. */
const LINES = { first: 6, last: 8 }
const KEPT_CHARACTERS = 20_000

const CAUSES = [
  [/no space left|ENOSPC/i, 'The disk is full: free some space and run the command again.'],
  [
    /ENOTFOUND|ETIMEDOUT|ECONNREFUSED|ECONNRESET|EAI_AGAIN|NewConnectionError|ConnectTimeout|Temporary failure in name resolution/,
    'The network was not reachable: check the connection, and HTTPS_PROXY where a proxy is used, and run the command again; what is done stays done.',
  ],
  [/EACCES|EPERM|Permission denied/, 'A file could not be written: the clone must belong to the user who runs this.'],
]

/** The lines of a stack say nothing to who sets this up. */
const STACK = /^(npm error)?\s*at \S/

function shorten(text) {
  const lines = text.split('\n').filter((line) => !STACK.test(line))
  if (lines.length <= LINES.first + LINES.last) return lines.join('\n')
  return [...lines.slice(0, LINES.first), '…', ...lines.slice(-LINES.last)].join('\n')
}

/**
 * Runs a command; shows its output unless `quiet`. `onLine` gets each line of a quiet command, for its progress.
 * @throws {SetupError} with the likely cause, `remedy` and the command's last lines where it fails
 */
export function run(command, args, { remedy = '', quiet = false, onLine, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const stdio = quiet ? ['ignore', 'pipe', 'pipe'] : ['inherit', 'inherit', 'inherit']
    const child = spawn(command, args, { cwd: ROOT, stdio, ...options })
    let said = ''
    const keep = (data) => (said = (said + String(data)).slice(-KEPT_CHARACTERS))
    if (onLine && child.stdout) createInterface({ input: child.stdout }).on('line', onLine)
    child.stdout?.on('data', keep)
    child.stderr?.on('data', keep)
    child.on('error', (error) => reject(new SetupError(`${command} could not be started (${error.code}). ${remedy}`)))
    child.on('close', (code, signal) => {
      if (code === 0) return resolve()
      // What the command showed needs no second showing.
      if (!quiet && remedy) return reject(new SetupError(remedy))
      const cause = CAUSES.find(([pattern]) => pattern.test(said))?.[1]
      const name = [command.split(/[\\/]/).at(-1), ...args.filter((arg) => arg.length < 40).slice(0, 3)].join(' ')
      const what = `"${name} …" ended with ${signal ?? `code ${code}`}.`
      const words = shorten(said.trim())
      reject(new SetupError([what, cause, remedy, words && `\n${words}`].filter(Boolean).join(' ')))
    })
  })
}

/** What a command prints, trimmed; undefined where it cannot be run or fails. */
export function ask(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8', cwd: ROOT })
  return result.status === 0 ? result.stdout.trim() : undefined
}

/** Runs the main function of a command: a fault is shown with its remedy, and the process ends with 1. */
export async function main(work) {
  try {
    await work()
  } catch (error) {
    const expected = error instanceof SetupError
    console.error(
      `\n✗ ${error.message}${expected ? '' : '\n  This was not foreseen: `npm run doctor` shows what is there.'}`,
    )
    process.exit(1)
  }
}
