import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { extname } from 'node:path'
import { writeFileWhole } from '../file/whole-file.js'
import type { Figure } from './figure.js'
import { figureToPng, figureToSvg } from './static-figure.js'
import type { DrawOptions } from './static-figure.js'

const require = createRequire(import.meta.url)

/**
 * Writes a figure; the ending of the path says how: `.png`, `.svg`, or `.html`, an interactive page that needs no network
 * (5 MB, for it holds Plotly). The file is written aside first, so that a failure leaves the old one.
 * @throws where the ending is another one, the figure cannot be drawn without a browser (`.png`, `.svg`; see `figureToSvg`),
 * the folder does not exist, or the disk fails
 * @example
 * await zs.saveFigure(zs.plot.comparison(zs.comparisonTable(scores)), 'comparison.svg')
 */
export async function saveFigure(figure: Figure, path: string, options: DrawOptions = {}): Promise<void> {
  switch (extname(path).toLowerCase()) {
    case '.png':
      return writeFileWhole(path, await figureToPng(figure, options))
    case '.svg':
      return writeFileWhole(path, await figureToSvg(figure, options))
    case '.html':
      return writeFileWhole(path, await pageOf(figure))
    default:
      throw new Error(`save figure: the path must end with .png, .svg or .html, got ${path}`)
  }
}

async function pageOf({ data, layout }: Figure): Promise<string> {
  const plotly = await readFile(require.resolve('plotly.js'), 'utf8')
  // Texts of the figure stay texts: within a script only what looks like a tag or a comment could end it.
  const figure = JSON.stringify({ data, layout }, (_, value: unknown) =>
    ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
  ).replace(/</g, '\\u003c')
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>Figure</title>
<style>html, body, #figure { height: 100%; margin: 0 }</style>
<div id="figure"></div>
<script>${plotly.replace(/<\/(script)/gi, '<\\/$1').replace(/<!--/g, '<\\!--')}</script>
<script>
const { data, layout } = ${figure}
Plotly.newPlot('figure', data, layout, { responsive: true })
</script>
</html>
`
}
