import { Widget } from './widget.js'

export interface SliderOptions {
  min: number
  max: number
  /** Distance of neighbouring values; default 1. */
  step?: number
  /** Default `min`. */
  value?: number
  label?: string
}

export interface SliderState {
  min: number
  max: number
  step: number
  value: number
  label: string
}

const ESM = `
function render({ model, el }) {
  el.classList.add('zerosearch-slider')
  const label = document.createElement('label')
  const name = document.createElement('span')
  const input = document.createElement('input')
  const output = document.createElement('output')
  input.type = 'range'
  // The arrow keys are the slider's, not JupyterLab's.
  input.dataset.lmSuppressShortcuts = 'true'
  label.append(name, input, output)
  el.append(label)
  const draw = () => {
    name.textContent = model.get('label')
    for (const part of ['min', 'max', 'step', 'value']) input[part] = model.get(part)
    output.textContent = model.get('value')
  }
  for (const part of ['min', 'max', 'step', 'value', 'label']) model.on('change:' + part, draw)
  input.addEventListener('input', () => {
    model.set('value', Number(input.value))
    model.save_changes()
  })
  draw()
}
export default { render }
`

const CSS = `
.zerosearch-slider label { display: flex; align-items: center; gap: 0.75em; padding: 4px 0; color: var(--jp-ui-font-color1, inherit); font: inherit; }
.zerosearch-slider input { width: 20em; accent-color: var(--jp-brand-color1, #0072b2); }
.zerosearch-slider output { min-width: 4em; font-variant-numeric: tabular-nums; }
`

/**
 * A slider for a number: `slider.get('value')`, `slider.set('value', 3)`, `slider.on('change:value', (value) => …)`.
 * @throws {Error} where `value` is not from `min` to `max`, or `step` is not above 0; outside of the notebook's kernel
 */
export function slider({ min, max, step = 1, value = min, label = '' }: SliderOptions): Widget<SliderState> {
  if (!(Number.isFinite(min) && Number.isFinite(max) && min < max))
    throw new Error(`slider: min must be below max, got min ${min} and max ${max}`)
  if (!(Number.isFinite(step) && step > 0)) throw new Error(`slider: step must be above 0, got ${step}`)
  if (!(value >= min && value <= max)) throw new Error(`slider: value must be from ${min} to ${max}, got ${value}`)
  return new Widget({ esm: ESM, css: CSS, state: { min, max, step, value, label } })
}
