import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Lab, missing } from './lab.js'

const FIGURE = `import * as zs from 'zerosearch'
const scores = ['before', 'after'].flatMap((method) => ['a', 'b'].map((dataset) => (
  { method, dataset, questionId: dataset, answer: 'x', em: 1, coverEm: 1, f1: 1, searches: 1, answered: 1 })))
zs.plot.comparison(zs.comparisonTable(scores))`

describe.skipIf(missing)(`figures (${missing ?? 'JupyterLab'})`, () => {
  let lab: Lab
  beforeAll(async () => void (lab = await Lab.start()))
  afterAll(() => lab?.stop())

  it.each(['JupyterLab Light', 'JupyterLab Dark'] as const)(
    'of this package have text and error bars in the colour of the page, and others keep theirs: %s',
    async (theme) => {
      const notebook = await lab.open('figures.ipynb', [
        FIGURE,
        `({ data: [{ type: 'bar', x: ['a'], y: [1] }], layout: { font: { color: '#123456' } } })`,
      ])
      await notebook.theme(theme)
      const colours = async (cell: number, selector: string, property: 'fill' | 'stroke'): Promise<string[]> => {
        const marks = notebook.output(cell).locator(selector)
        await marks.first().waitFor()
        const all = await marks.evaluateAll(
          (found, name) =>
            found.map(
              (mark) =>
                (
                  globalThis as unknown as { getComputedStyle: (of: unknown) => Record<string, string> }
                ).getComputedStyle(mark)[name]!,
            ),
          property,
        )
        return [...new Set(all)]
      }
      await notebook.run(0)
      const page = theme === 'JupyterLab Dark' ? 'rgb(255, 255, 255)' : 'rgba(0, 0, 0, 0.87)'
      expect(await colours(0, '.jp-RenderedPlotly svg text', 'fill')).toEqual([page])
      expect(await colours(0, '.jp-RenderedPlotly .errorbar path', 'stroke')).toEqual([page])
      await notebook.run(1)
      expect(await colours(1, '.jp-RenderedPlotly svg text', 'fill')).toEqual(['rgb(18, 52, 86)'])
      await notebook.screenshot(`figures-${theme === 'JupyterLab Dark' ? 'dark' : 'light'}`)
      await notebook.close()
    },
  )
})
