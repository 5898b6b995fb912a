import { count, duration } from './number-text.js'

/** How far something is. */
export interface Position {
  title: string
  unit: string
  total: number | undefined
  done: number
  seconds: number
}

/** While it runs: "evaluate: 120/1,400 questions, 59.8/s, about 21.4 s left". */
export function runningText({ title, unit, total, done, seconds }: Position): string {
  const counted = total === undefined ? count(done) : `${count(done)}/${count(total)}`
  if (done === 0) return `${title}: ${counted} ${unit}, ${duration(seconds)} so far`
  const left = total === undefined ? '' : `, about ${duration(Math.max(0, ((total - done) * seconds) / done))} left`
  return `${title}: ${counted} ${unit}, ${rate(done / seconds)}${left}`
}

/** When it has ended: "evaluate: 1,400 questions in 23.4 s (59.8/s)", or where it stopped. */
export function endedText({ title, unit, total, done, seconds }: Position, stopped: boolean): string {
  if (stopped && total !== undefined)
    return `${title}: stopped at ${count(done)} of ${count(total)} ${unit} after ${duration(seconds)}`
  if (stopped) return `${title}: stopped after ${count(done)} ${unit} and ${duration(seconds)}`
  return `${title}: ${count(done)} ${unit} in ${duration(seconds)} (${rate(done / seconds)})`
}

function rate(perSecond: number): string {
  if (!Number.isFinite(perSecond) || perSecond === 0) return '0/s'
  return perSecond >= 1 ? `${perSecond.toFixed(1)}/s` : `${(1 / perSecond).toFixed(1)} s each`
}
