import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { runInNewContext } from 'node:vm'
import { JSDOM } from 'jsdom'
import { afterAll, expect, it } from 'vitest'
import { saveFigure } from '../../src/plot/save-figure.js'

const folder = mkdtempSync(join(tmpdir(), 'figures-'))
afterAll(() => rmSync(folder, { recursive: true }))
const at = (name: string): string => join(folder, name)

const HOSTILE = '</script><script>window.hacked = true</script>'
const figure = {
  data: [{ type: 'bar', x: ['a', HOSTILE], y: new Float64Array([1, 2]) }],
  layout: { title: { text: 'Bars' } },
}

it('a figure is saved as the ending says', async () => {
  await saveFigure(figure, at('f.png'))
  await saveFigure(figure, at('f.svg'))
  expect(readFileSync(at('f.png')).subarray(1, 4).toString()).toBe('PNG')
  expect(readFileSync(at('f.svg'), 'utf8')).toMatch(/^<svg/)
  await expect(saveFigure(figure, at('f.pdf'))).rejects.toThrow('must end with .png, .svg or .html, got')
})

it('as a page it holds all that it needs, and its texts stay texts', async () => {
  await saveFigure(figure, at('f.html'))
  const page = readFileSync(at('f.html'), 'utf8')
  expect(page).not.toMatch(/<(script|link)[^>]+(src|href)=/)
  // Of the scripts only the last one is run: jsdom cannot draw.
  const { document } = new JSDOM(page).window
  const scripts = [...document.querySelectorAll('script')]
  expect(scripts).toHaveLength(2)
  let shown: unknown[] = []
  runInNewContext(scripts[1]!.textContent ?? '', { Plotly: { newPlot: (...args: unknown[]) => (shown = args) } })
  expect(shown[0]).toBe('figure')
  expect(shown[1]).toEqual([{ type: 'bar', x: ['a', HOSTILE], y: [1, 2] }])
})
