import { Widget } from './widget.js'

/** Options of `slider`. */
export interface SliderOptions {
  /** Smallest value. */
  min: number
  /** Largest value. */
  max: number
  /** Distance of neighbouring values, above 0; default 1. */
  step?: number
  /** Where it stands at first. Default `min`. */
  value?: number
  /** Text before it. Default none. */
  label?: string
}

/** What a slider and the page share: names for `get`, `set` and `on`. */
export interface SliderState {
  /** Smallest value. */
  min: number
  /** Largest value. */
  max: number
  /** Distance of neighbouring values. */
  step: number
  /** Where it stands. */
  value: number
  /** Text before it. */
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
 * A slider for a number. Its value is read with `get`, set with `set`, and followed with `on`.
 * @throws {Error} where `min` is not below `max`, `value` is not from `min` to `max`, or `step` is not above 0; outside of
 * the notebook's kernel
 * @example
 * const noise = zs.slider({ min: 0, max: 1, step: 0.1, value: 0.5, label: 'noise' })
 * noise.on('change:value', (value) => console.log(value))
 * await zs.display(noise)
 */
export function slider({ min, max, step = 1, value = min, label = '' }: SliderOptions): Widget<SliderState> {
  if (!(Number.isFinite(min) && Number.isFinite(max) && min < max))
    throw new Error(`slider: min must be below max, got min ${min} and max ${max}`)
  if (!(Number.isFinite(step) && step > 0)) throw new Error(`slider: step must be above 0, got ${step}`)
  if (!(value >= min && value <= max)) throw new Error(`slider: value must be from ${min} to ${max}, got ${value}`)
  return new Widget({ esm: ESM, css: CSS, state: { min, max, step, value, label } })
}
