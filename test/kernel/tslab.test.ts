// The seams of tslab 1.0.22 that the kernel stands on: where it moves, these say which one broke.
import { createRequire } from 'node:module'
import { describe, expect, it } from 'vitest'
import { loadTslab } from '../../kernel/server/cells/tslab.js'
import type { TslabConverter } from '../../kernel/server/cells/tslab.js'

const require = createRequire(import.meta.url)
const { createExecutor, jupyter } = loadTslab()

function executorOf(output: string, hasToplevelAwait = false) {
  const thrown: unknown[] = []
  const node: TslabConverter = { convert: () => ({ diagnostics: [], output, declOutput: '', hasToplevelAwait }) }
  const console = { log: () => undefined, error: (...values: unknown[]) => void thrown.push(...values) }
  return { executor: createExecutor(process.cwd(), { node, browser: node, close: () => undefined }, console), thrown }
}

describe('tslab', () => {
  it('is the version whose seams these are', () => {
    expect((require('tslab/package.json') as { version: string }).version).toBe('1.0.22')
  })

  it('does not load its own fork of TypeScript', () => {
    const own = createRequire(require.resolve('tslab'))
    const fork = require.cache[own.resolve('@tslab/typescript-for-tslab')]!.exports as { version: string }
    expect(fork.version).toBe((require('typescript') as { version: string }).version)
  })

  it('createExecutor(root, converters, console).execute runs what the converter returns, and says whether it ended well', async () => {
    const scope = globalThis as { seen?: number }
    expect(await executorOf('globalThis.seen = 1').executor.execute('any text')).toBe(true)
    expect(scope.seen).toBe(1)
    expect(await executorOf('await null; globalThis.seen = 2', true).executor.execute('any text')).toBe(true)
    expect(scope.seen).toBe(2)
  })

  it.each([
    ['at once', 'throw new Error("thrown")', false],
    ['after an await', 'await null; throw new Error("thrown")', true],
  ])('gives what a cell throws %s to console.error', async (_, output, hasToplevelAwait) => {
    const { executor, thrown } = executorOf(output, hasToplevelAwait)
    expect(await executor.execute('any text')).toBe(false)
    expect(thrown).toMatchObject([{ message: 'thrown' }])
  })

  it('display.html writes through jupyter.lastWriteDisplayData', () => {
    const written: unknown[] = []
    jupyter.lastWriteDisplayData = (content) => written.push(content)
    const { display } = require('tslab') as { display: { html(text: string): void } }
    display.html('<b>x</b>')
    expect(written).toMatchObject([{ data: { 'text/html': '<b>x</b>' } }])
  })
})
