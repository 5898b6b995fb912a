/** Notebooks executed in the project's kernel: needs the set-up, as `npm test` makes it. */
import { spawnSync } from 'node:child_process'
import { copyFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { ROOT, VENV_PYTHON, jupyterEnvironment } from './venv.js'

interface Cell {
  execution_count?: number | null
  outputs?: { output_type: string; name?: string; text?: string[]; data?: Record<string, string[]> }[]
}

// Inside the clone, so that the cells find its packages.
const folder = mkdtempSync(join(ROOT, '.runtime', 'test-'))
const out = mkdtempSync(join(tmpdir(), 'zerosearch-'))
afterAll(() => {
  for (const path of [folder, out]) rmSync(path, { recursive: true })
})

function execute(
  name: string,
  more: Record<string, string> = {},
): { status: number | null; said: string; cells: Cell[]; page: string } {
  const source = join(folder, name)
  copyFileSync(join(import.meta.dirname, 'fixtures', name), source)
  const before = readFileSync(source, 'utf8')
  const runner = join(ROOT, 'kernel', 'run_notebook.py')
  const env = jupyterEnvironment({ ZEROSEARCH_QUICK: '1', ...more })
  const { status, stdout, stderr } = spawnSync(VENV_PYTHON, [runner, source, out], { encoding: 'utf8', env })
  expect(readFileSync(source, 'utf8'), 'the notebook itself is left as it was').toBe(before)
  const { cells } = JSON.parse(readFileSync(join(out, name), 'utf8')) as { cells: Cell[] }
  const page = readFileSync(join(out, name.replace('.ipynb', '.html')), 'utf8')
  return { status, said: stdout + stderr, cells, page }
}

describe('a notebook that runs', () => {
  let run: ReturnType<typeof execute>
  beforeAll(() => {
    run = execute('runs.ipynb')
  })
  const textOf = (index: number): string | undefined => run.cells[index]?.outputs?.[0]?.text?.join('')

  const resultOf = (index: number): string | undefined => run.cells[index]?.outputs?.[0]?.data?.['text/plain']?.join('')

  it('ends well and says how far it is', () => {
    expect(run.status).toBe(0)
    expect(run.said).toContain('✓ cell 4/4')
  })

  it('keeps what cells print as one output', () => {
    expect(run.cells[1]?.outputs).toHaveLength(1)
    expect(textOf(1)).toBe('hello\n5\n')
  })

  it('keeps HTML, in the page too', () => {
    expect(run.cells[2]?.outputs?.[0]?.data?.['text/html']?.join('')).toBe('<b>bold</b>')
    expect(run.page).toContain('<b>bold</b>')
  })

  it('awaits at the top level, with the settings of the caller', () => {
    expect(resultOf(3)).toBe("'1'")
  })

  it('imports the package by its name, with its types', () => {
    expect(resultOf(4)).toBe("'paris'")
  })
})

describe('a notebook of all kinds of output', () => {
  const typesOf = (cells: readonly Cell[]): string[][] =>
    cells.flatMap(({ outputs = [] }) => outputs.map(({ data = {} }) => Object.keys(data).sort()))

  it('holds something for every viewer', () => {
    const { status, said, cells, page } = execute('shows.ipynb')
    expect(status, said).toBe(0)
    expect(typesOf(cells)).toEqual([
      ['text/html', 'text/plain'],
      ['application/vnd.plotly.v1+json', 'text/html', 'text/plain'],
      ...Array<string[]>(4).fill(['text/html', 'text/plain']),
    ])
    expect(page).not.toContain('<script>alert')
    expect(page).toContain('Ada &lt;script&gt;alert(1)&lt;/script&gt;&lt;/div&gt;')
  })

  it('with ZEROSEARCH_STATIC=1 holds only what a viewer without scripts and styles shows', () => {
    const { cells } = execute('shows.ipynb', { ZEROSEARCH_STATIC: '1' })
    const html = ['text/html', 'text/plain']
    expect(typesOf(cells)).toEqual([html, ['image/png'], html, html, html, html])
    const shown = cells.flatMap(({ outputs = [] }) => outputs.flatMap(({ data = {} }) => data['text/html'] ?? []))
    expect(shown.join('')).not.toMatch(/<[^>]* style=|<script|<style|src=|data:/)
  })
})

describe('a notebook of which a cell fails', () => {
  it('ends with the error shown, and keeps what ran before', () => {
    const { status, said, cells } = execute('fails.ipynb')
    expect(status).toBe(1)
    expect(said).toContain('Error: planted failure')
    expect(said).toContain('✗ cell 2/3')
    expect(cells.map((cell) => cell.execution_count ?? null)).toEqual([1, 2, null])
    expect(cells[2]?.outputs).toEqual([])
  })
})
