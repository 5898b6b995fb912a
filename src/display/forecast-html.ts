import { MEMORY_PART_NAMES } from '../schema/forecast.js'
import type { Forecast, MemoryParts } from '../schema/forecast.js'
import { fieldsHtml, fieldsText } from './fields-html.js'
import { html } from './html.js'
import type { Html, Style } from './html.js'
import { bytes, count, decimals, duration, roughly } from './number-text.js'
import { isRecord } from './shape.js'
import { tableCells } from './table-cells.js'
import type { TableCells } from './table-cells.js'
import { tableHtml, tableText } from './table-html.js'
import { recordsView } from './table-view.js'

const NAMES = {
  ...MEMORY_PART_NAMES,
  cache: 'cache of conversations',
  process: 'the rest of the process',
}

// A forecast that was read from a file may hold anything: what is no number shows as it is.

const size = (value: unknown): string => (typeof value === 'number' ? bytes(Math.round(value)) : decimals(value, 0))
const time = (value: unknown): string => (typeof value === 'number' ? duration(value) : decimals(value, 0))
const whole = (value: unknown): string => count(typeof value === 'number' ? Math.round(value) : value)
const sum = (a: unknown, b: unknown): unknown => (typeof a === 'number' && typeof b === 'number' ? a + b : undefined)

function memoryCells({ memory, peakBytes }: Forecast): TableCells {
  const parts: Partial<MemoryParts> = isRecord(memory) ? memory : {}
  const rows = [
    ...Object.entries(NAMES).map(([key, name]) => ({ memory: name, peak: size(parts[key as keyof MemoryParts]) })),
    { memory: 'together', peak: size(peakBytes) },
  ]
  return tableCells(recordsView(rows, (row) => row, 'parts'))
}

/** What a forecast says in a few lines. */
export function forecastFields(forecast: Forecast): Record<string, unknown> {
  const { parameters, trainedParameters, fullLength, peakBytesAtFullLength, availableBytes, updates } = forecast
  const { rolloutSeconds, updateSeconds, warmUpSeconds, totalSeconds } = forecast
  const { trajectoriesPerUpdate, tokensPerUpdate, sampledTokensPerUpdate, searchesPerUpdate } = forecast
  const numbers = typeof parameters === 'number' && typeof trainedParameters === 'number'
  return {
    policy: forecast.policy,
    parameters: numbers ? `${roughly(parameters)}, ${roughly(trainedParameters)} of them trained` : undefined,
    'peak memory': size(forecast.peakBytes),
    [`with trajectories of ${whole(fullLength)} ids`]: size(peakBytesAtFullLength),
    'free before': availableBytes === Infinity ? 'unknown' : size(availableBytes),
    'an update': `${time(sum(rolloutSeconds, updateSeconds))}: ${time(rolloutSeconds)} of rollouts, ${time(updateSeconds)} of optimization`,
    'in it': `${whole(trajectoriesPerUpdate)} trajectories, ${whole(tokensPerUpdate)} tokens (${whole(sampledTokensPerUpdate)} sampled), ${whole(searchesPerUpdate)} searches`,
    [`${whole(updates)} updates`]: `${time(totalSeconds)}, of which ${time(warmUpSeconds)} of compiling`,
    'in all': `${whole(forecast.totalTokens)} tokens, ${whole(forecast.totalSearches)} searches`,
  }
}

export const forecastHtml = (forecast: Forecast, style: Style): Html =>
  html`${tableHtml(memoryCells(forecast), style)}${fieldsHtml(forecastFields(forecast), style)}`

export const forecastText = (forecast: Forecast): string =>
  `${tableText(memoryCells(forecast))}\n\n${fieldsText(forecastFields(forecast))}`
