/** Steps of the set-up: done once, done again when their inputs change or they were interrupted. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeEach, describe, expect, it, vi } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const { step } = (await import(join(root, 'kernel', 'step.mjs'))) as {
  step: (
    title: string,
    needs: { texts?: string[]; files?: string[]; outputs: string[] },
    work: () => void,
  ) => Promise<boolean>
}

const folder = mkdtempSync(join(tmpdir(), 'zerosearch-'))
const title = `test of steps ${process.pid}`
const stamp = join(root, '.runtime', `test-of-steps-${process.pid}.stamp`)
const input = join(folder, 'input')
const output = join(folder, 'output')
afterAll(() => {
  rmSync(folder, { recursive: true })
  rmSync(stamp, { force: true })
})
beforeEach(() => {
  vi.spyOn(console, 'log').mockReturnValue()
  rmSync(stamp, { force: true })
  writeFileSync(input, 'first')
})

const needs = (text = 'one') => ({ texts: [text], files: [input], outputs: [output] })
const work = (): void => writeFileSync(output, 'made')

describe('step', () => {
  it('is not done a second time', async () => {
    expect(await step(title, needs(), work)).toBe(true)
    expect(await step(title, needs(), work)).toBe(false)
  })

  it('is done again when a file or a text that it depends on changes, or its output is gone', async () => {
    await step(title, needs(), work)
    writeFileSync(input, 'second')
    expect(await step(title, needs(), work)).toBe(true)
    expect(await step(title, needs('two'), work)).toBe(true)
    rmSync(output)
    expect(await step(title, needs('two'), work)).toBe(true)
    expect(await step(title, needs('two'), work)).toBe(false)
  })

  it('is done again after a failure, also where an older output lies there', async () => {
    await step(title, needs(), work)
    writeFileSync(input, 'second')
    const fails = (): void => {
      throw new Error('interrupted')
    }
    await expect(step(title, needs(), fails)).rejects.toThrow('interrupted')
    writeFileSync(input, 'first')
    expect(await step(title, needs(), work)).toBe(true)
  })
})
