// The quickstart as readers meet it: run in JupyterLab, opened untrusted by somebody else, and as an HTML page.
import { execFileSync } from 'node:child_process'
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Locator } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { leastContrast } from './contrast.js'
import { VENV_PYTHON } from '../kernel/venv.js'
import { Lab, missing } from './lab.js'
import type { NotebookPage } from './notebook-page.js'

const SOURCE = join(import.meta.dirname, '..', '..', 'notebooks', '01-quickstart.ipynb')
const RUN_SECONDS = 900

interface NotebookFile {
  metadata: Record<string, unknown>
  cells: { cell_type: string; outputs?: { output_type: string; data?: Record<string, unknown> }[] }[]
}

/** How many pictures of a part of a page show, and how many have nothing to show. */
const pictures = (part: Locator): Promise<{ shown: number; broken: number }> =>
  part.locator('img:visible').evaluateAll((images) => {
    const widths = images.map((image) => (image as unknown as { naturalWidth: number }).naturalWidth)
    return { shown: widths.filter((width) => width > 0).length, broken: widths.filter((width) => width === 0).length }
  })

describe.skipIf(missing)(`the quickstart (${missing ?? 'JupyterLab'})`, () => {
  let lab: Lab
  let notebook: NotebookPage
  const saved = (): NotebookFile => JSON.parse(readFileSync(lab.path('quickstart.ipynb'), 'utf8')) as NotebookFile
  const outputs = (page = notebook): Locator => page.page.locator('.jp-OutputArea-output')
  /** Outputs of a kind in the saved file. */
  const count = (test: (data: Record<string, unknown>) => boolean): number =>
    saved()
      .cells.flatMap((cell) => cell.outputs ?? [])
      .filter(({ data }) => data !== undefined && test(data)).length
  const isFigure = (data: Record<string, unknown>): boolean => 'application/vnd.plotly.v1+json' in data

  /** Scrolls through all of it, as a reader does. */
  async function read(page: NotebookPage): Promise<void> {
    for (const cell of await page.page.locator('.jp-Cell').all()) {
      await cell.scrollIntoViewIfNeeded()
      await page.page.waitForTimeout(100)
    }
  }

  /** Figures are live, or the picture that JupyterLab's extension for Plotly keeps in a saved notebook. */
  async function figuresAndTable(page: NotebookPage, name: string, kind: 'svg.main-svg' | 'img'): Promise<void> {
    const figures = page.page.locator(`.jp-RenderedPlotly:has(${kind}:visible)`)
    await expect.poll(() => figures.count(), { timeout: 20_000 }).toBe(count(isFigure))
    const table = page.page.locator('.jp-OutputArea-output table', { hasText: 'ceiling' })
    await table.scrollIntoViewIfNeeded()
    expect(await table.isVisible()).toBe(true)
    await page.screenshot(`${name} table`)
    for (const [i, figure] of (await figures.all()).entries()) {
      await figure.scrollIntoViewIfNeeded()
      if (kind === 'svg.main-svg') expect(await figure.locator('.trace').count()).toBeGreaterThan(0)
      await page.screenshot(`${name} figure ${i + 1}`)
    }
  }

  beforeAll(
    async () => {
      lab = await Lab.start()
      copyFileSync(SOURCE, lab.path('quickstart.ipynb'))
      notebook = await lab.open('quickstart.ipynb')
      const cells = await notebook.page.locator('.jp-CodeCell').count()
      await notebook.command('editmenu:clear-all')
      await notebook.command('notebook:run-all-cells')
      await notebook.ended(cells - 1, RUN_SECONDS)
      await notebook.command('docmanager:save')
    },
    (RUN_SECONDS + 100) * 1000,
  )
  afterAll(() => lab?.stop())

  it('runs to its end without an error', () => {
    const all = saved().cells.flatMap((cell) => cell.outputs ?? [])
    expect(all.filter(({ output_type }) => output_type === 'error')).toEqual([])
    expect(count(isFigure)).toBe(2)
  })

  it.each(['JupyterLab Light', 'JupyterLab Dark'] as const)(
    'shows figures, tables and readable text in %s',
    async (theme) => {
      await notebook.theme(theme)
      await read(notebook)
      await figuresAndTable(notebook, `quickstart ${theme}`, 'svg.main-svg')
      const { shown, broken } = await pictures(outputs())
      expect(shown).toBeGreaterThan(0)
      expect(broken).toBe(0)
      const { contrast, where } = await leastContrast(outputs())
      console.log(`${theme}: ${shown} pictures; least contrast ${contrast.toFixed(1)} at “${where}”`)
      expect(where).not.toBe('')
      expect(contrast, where).toBeGreaterThan(4.5)
      for (const cell of await notebook.page.locator('.jp-CodeCell:has(.jp-RenderedHTMLCommon)').all()) {
        await cell.scrollIntoViewIfNeeded()
        const index = await cell.evaluate((node) => [...node.parentElement!.children].indexOf(node))
        await notebook.screenshot(`quickstart ${theme} cell ${index}`, cell)
      }
    },
  )

  it('shows its pictures to somebody who does not trust it', async () => {
    const file = saved()
    file.metadata['copied'] = true
    writeFileSync(lab.path('untrusted.ipynb'), JSON.stringify(file))
    const untrusted = await lab.open('untrusted.ipynb')
    expect(await untrusted.trusted()).not.toContain(true)
    await read(untrusted)
    await figuresAndTable(untrusted, 'untrusted', 'img')
    const live = await pictures(outputs())
    expect(await pictures(outputs(untrusted))).toEqual({ shown: live.shown + count(isFigure), broken: 0 })
    await untrusted.close()
  })

  it('shows its pictures as an HTML page', async () => {
    const file = lab.path('quickstart.ipynb')
    execFileSync(VENV_PYTHON, ['-m', 'nbconvert', '--to', 'html', file], { env: lab.environment(), stdio: 'pipe' })
    const html = await lab.openFile(file.replace('.ipynb', '.html'))
    const body = html.page.locator('body')
    const { shown, broken } = await pictures(body)
    const live = await pictures(outputs())
    // Figures are pictures here.
    expect({ shown, broken }).toEqual({ shown: live.shown + count(isFigure), broken: 0 })
    await html.screenshot('page')
    for (const [i, picture] of (await body.locator('img[alt=figure]').all()).entries()) {
      await picture.scrollIntoViewIfNeeded()
      await html.screenshot(`page figure ${i + 1}`)
    }
    await html.close()
  })
})
