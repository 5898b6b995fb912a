// A step of the set-up: skipped when its inputs have not changed since it last succeeded.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { ROOT, RUNTIME } from './paths.mjs'

/** A fault with its remedy: shown as it is, without a stack. */
export class SetupError extends Error {}

/** @param {string[]} inputs texts or files that decide whether the step must run again */
function stampOf(inputs) {
  const hash = createHash('sha256')
  for (const input of inputs) hash.update(existsSync(input) ? readFileSync(input) : input).update('\0')
  return hash.digest('hex')
}

/**
 * Runs `work` unless `outputs` exist and `inputs` are those of the last success. An interrupted step runs again.
 * @returns {Promise<boolean>} whether it ran
 */
export async function step(title, inputs, outputs, work) {
  mkdirSync(RUNTIME, { recursive: true })
  const file = join(RUNTIME, `${title.replace(/\W+/g, '-').toLowerCase()}.stamp`)
  const stamp = stampOf(inputs)
  if (existsSync(file) && readFileSync(file, 'utf8') === stamp && outputs.every((output) => existsSync(output))) {
    console.log(`✓ ${title}`)
    return false
  }
  rmSync(file, { force: true })
  const started = Date.now()
  console.log(`… ${title}`)
  await work()
  writeFileSync(file, stamp)
  console.log(`✓ ${title} (${((Date.now() - started) / 1000).toFixed(0)} s)`)
  return true
}

/** Runs a command with its output shown; throws with `remedy` where it fails. */
export function run(command, args, { remedy = '', quiet = false, ...options } = {}) {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, { cwd: ROOT, stdio: ['ignore', quiet ? 'pipe' : 'inherit', 'pipe'], ...options })
    let errors = ''
    child.stdout?.resume()
    child.stderr?.on('data', (data) => {
      errors = (errors + String(data)).slice(-4000)
      if (!quiet) process.stderr.write(data)
    })
    child.on('error', (error) => reject(new SetupError(`${command} could not be started: ${error.message}. ${remedy}`)))
    child.on('close', (code) => {
      if (code === 0) return resolve()
      const space = /no space left|ENOSPC/i.test(errors) ? 'The disk is full: free some space and run the command again. ' : ''
      const network = /ENOTFOUND|ETIMEDOUT|EAI_AGAIN|ConnectionError|Temporary failure in name resolution/i.test(errors)
        ? 'The network was not reachable: check the connection (or the proxy settings) and run the command again. '
        : ''
      const tail = quiet ? `\n${errors.trim().split('\n').slice(-8).join('\n')}` : ''
      reject(new SetupError(`${command} ${args.slice(0, 3).join(' ')} … ended with code ${code}. ${space}${network}${remedy}${tail}`))
    })
  })
}

/** Output of a command, or undefined where it cannot be run. */
export function ask(command, args) {
  const result = spawnSync(command, args, { encoding: 'utf8' })
  return result.status === 0 ? result.stdout.trim() : undefined
}
