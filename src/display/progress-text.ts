import { bytes, count, duration } from './number-text.js'

/** How far something is. */
export interface Position {
  title: string
  /** Undefined where nothing is counted. */
  unit: string | undefined
  total: number | undefined
  done: number
  /** Those that were done before the clock started; default 0. */
  doneBefore?: number
  seconds: number
}

/** While it runs: "evaluate: 120/1,400 questions, 59.8/s, about 21.4 s left". */
export function runningText({ title, unit, total, done, doneBefore = 0, seconds }: Position): string {
  if (unit === undefined) return `${title}: ${duration(seconds)} so far`
  const counted = total === undefined ? amount(done, unit) : `${partOf(done, unit)}/${amount(total, unit)}`
  const doneNow = done - doneBefore
  if (doneNow <= 0) return `${title}: ${counted}, ${duration(seconds)} so far`
  const left = total === undefined ? '' : `, about ${duration(Math.max(0, ((total - done) * seconds) / doneNow))} left`
  return `${title}: ${counted}, ${rate(doneNow / seconds, unit)}${left}`
}

/** When it has ended: "evaluate: 1,400 questions in 23.4 s (59.8/s)", or where it stopped. */
export function endedText({ title, unit, total, done, doneBefore = 0, seconds }: Position, stopped: boolean): string {
  if (unit === undefined) return `${title}: ${stopped ? 'stopped after ' : ''}${duration(seconds)}`
  if (stopped && total !== undefined)
    return `${title}: stopped at ${partOf(done, unit)} of ${amount(total, unit)} after ${duration(seconds)}`
  if (stopped) return `${title}: stopped after ${amount(done, unit)} and ${duration(seconds)}`
  return `${title}: ${amount(done - doneBefore, unit)} in ${duration(seconds)} (${rate((done - doneBefore) / seconds, unit)})`
}

/** "1,400 questions", "6.6 MB". */
const amount = (value: number, unit: string): string => (unit === 'bytes' ? bytes(value) : `${count(value)} ${unit}`)

/** The same where the unit follows behind: "120" of "120/1,400 questions". */
const partOf = (value: number, unit: string): string => (unit === 'bytes' ? bytes(value) : count(value))

function rate(perSecond: number, unit: string): string {
  if (!Number.isFinite(perSecond) || perSecond === 0) return '0/s'
  if (unit === 'bytes') return `${bytes(Math.round(perSecond))}/s`
  return perSecond >= 1 ? `${perSecond.toFixed(1)}/s` : `${(1 / perSecond).toFixed(1)} s each`
}
