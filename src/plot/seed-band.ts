import { studentInterval } from '../statistics/mean-interval.js'

/** What the band around the mean of several seeds is: all values between the least and the largest, or a 95 % interval of the mean. */
export type Band = 'range' | 'interval'

/** How a legend calls it. */
export const BAND_NAMES: Record<Band, string> = { range: 'min–max', interval: '95 % interval' }

/** Values of one seed by place, an update or a step; null where it was no finite number. */
export type Series = ReadonlyMap<number, number | null>

/** The mean of several seeds at a place, and the band around it. */
export interface BandPoint {
  x: number
  mean: number
  low: number
  high: number
}

/** At each place where a seed has a value. Where some have none, for they ended or diverged, it is that of the others. */
export function seedBand(seeds: readonly Series[], band: Band): BandPoint[] {
  const places = [...new Set(seeds.flatMap((seed) => [...seed.keys()]))].sort((a, b) => a - b)
  return places.flatMap((x) => {
    const values = seeds.flatMap((seed) => seed.get(x) ?? [])
    if (values.length === 0) return []
    const mean = values.reduce((a, b) => a + b, 0) / values.length
    const bounds =
      band === 'interval' ? studentInterval(values) : { low: Math.min(...values), high: Math.max(...values) }
    return [{ x, mean, ...bounds }]
  })
}

interface TraceOptions extends Record<string, unknown> {
  band: Band
  line: { color: string; width: number; dash?: string }
}

/** Traces of several seeds: their mean, with the band behind it. One seed has no band, and gaps where it has no number. */
export function seedTraces(
  seeds: readonly Series[],
  { band, line, ...trace }: TraceOptions,
): Record<string, unknown>[] {
  const points = seedBand(seeds, band)
  if (points.length === 0) return []
  const means = new Map(points.map(({ x, mean }) => [x, mean]))
  const places = [...new Set(seeds.flatMap((seed) => [...seed.keys()]))].sort((a, b) => a - b)
  const mode = points.length > 1 ? 'lines' : 'markers'
  const own = { ...{ type: 'scatter', mode }, ...trace, x: places, y: places.map((x) => means.get(x) ?? null), line }
  if (seeds.length === 1) return [own]
  const back = [...points].reverse()
  const around = {
    ...{ ...trace, type: 'scatter', mode: 'lines', showlegend: false, hoverinfo: 'skip' },
    x: [...points, ...back].map(({ x }) => x),
    y: [...points.map(({ high }) => high), ...back.map(({ low }) => low)],
    ...{ fill: 'toself', fillcolor: `${line.color}33`, line: { color: line.color, width: 0 } },
  }
  return [around, own]
}
