// A step of the set-up: skipped when its inputs have not changed since it last succeeded.
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { progress } from './progress.mjs'
import { ROOT, RUNTIME } from './paths.mjs'

function stampOf(texts, files) {
  const hash = createHash('sha256')
  for (const text of texts) hash.update('\0').update(text)
  for (const file of files) hash.update('\0').update(relative(ROOT, file)).update('\0').update(readFileSync(file))
  return hash.digest('hex')
}

/**
 * Runs `work` unless `outputs` exist and the inputs are those of the last success. An interrupted step runs again,
 * the steps before it do not.
 * @param {string} title
 * @param {{ texts?: string[], files?: string[], outputs: string[] }} needs
 *   `texts` and the contents of `files` decide whether the step must run again
 * @param {(say: (note: string) => void) => Promise<void> | void} work is given a way to say what it is at
 * @returns {Promise<boolean>} whether it ran
 */
export async function step(title, { texts = [], files = [], outputs }, work) {
  mkdirSync(RUNTIME, { recursive: true })
  const stampFile = join(RUNTIME, `${title.replace(/\W+/g, '-').toLowerCase()}.stamp`)
  const stamp = stampOf(texts, files)
  const done = existsSync(stampFile) && readFileSync(stampFile, 'utf8') === stamp
  if (done && outputs.every((output) => existsSync(output))) {
    console.log(`✓ ${title}`)
    return false
  }
  rmSync(stampFile, { force: true })
  const line = progress(title)
  try {
    await work(line.say)
  } catch (error) {
    line.failed()
    throw error
  }
  writeFileSync(stampFile, stamp)
  line.done()
  return true
}
