import type { Figure } from '../plot/figure.js'
import { figureToPng, unloadedImages } from '../plot/static-figure.js'
import { html } from './html.js'
import type { Bundle } from './bundle.js'

/** No image/png beside the figure: JupyterLab would show the picture instead of it. */
export async function figureBundle(figure: Figure, isStatic: boolean): Promise<Bundle> {
  const interactive = isStatic ? {} : { 'application/vnd.plotly.v1+json': plainJson(figure) }
  let png: string
  try {
    png = Buffer.from(await figureToPng(figure)).toString('base64')
  } catch (error) {
    // Where the picture would be, it says why there is none: the figure itself may be good.
    const text = `Plotly figure without a picture: ${error instanceof Error ? error.message : String(error)}`
    return { ...interactive, 'text/html': html`<div>${text}</div>`, 'text/plain': text }
  }
  const note = leftOut(unloadedImages(figure))
  if (isStatic) return { 'image/png': png, ...(note && { 'text/plain': `Plotly figure; ${note}` }) }
  const image = html`<img alt="figure" style="max-width: 100%;" src="data:image/png;base64,${png}" />`
  return {
    ...interactive,
    'text/html': note
      ? html`<div>
          ${image}
          <div>${note}</div>
        </div>`
      : image,
    'text/plain': note ? `Plotly figure; ${note}` : 'Plotly figure',
  }
}

function leftOut(images: number): string {
  if (images === 0) return ''
  const what =
    images === 1
      ? '1 picture that the figure names by an address is'
      : `${images} pictures that the figure names by an address are`
  return `${what} left out of this drawing; give it as a data URI to have it here`
}

/** JSON has no typed arrays: as they are, they would become objects. */
function plainJson(figure: Figure): unknown {
  return JSON.parse(
    JSON.stringify(figure, (_, value: unknown) =>
      ArrayBuffer.isView(value) ? Array.from(value as Float64Array) : value,
    ),
  )
}
