import type { FileFormat } from '../file/read-records.js'
import { expectedSizes } from './known-sets.js'

/** What was found while questions were read. */
export interface DatasetReport {
  /** The file, or the files of a hub's dataset. */
  paths: string[]
  /** How the first one holds its rows. */
  format: FileFormat
  /** The shapes of its rows: `flashrag`, `verl`, `hotpotqa`, … */
  dialects: string[]
  /** Rows that were read, the bad ones included. */
  rows: number
  /** Questions that came out of them. */
  questions: number
  /** Each set and split in it, and the sizes that this split is known to have where none of them is `questions`. */
  sets: {
    /** Name of the set. */
    dataset: string
    /** `train`, `dev` or `test`, where the file tells it. */
    split?: string
    /** Questions that came out of the file. */
    questions: number
    /** Sizes that the split is known to have. */
    expected?: number[]
  }[]
  /** Rows that do not fit, and why. Without `faults: 'skip'` there are none, for then they are an error. */
  faulty: DatasetNote
  /** Well-formed rows that say that their question has no answer. They are left out. */
  unanswerable: DatasetNote
  /** Questions whose words another question of the set has too. They are kept. */
  repeated: DatasetNote
}

/** Rows with something in common. */
export interface DatasetNote {
  /** How many there were. */
  count: number
  /** The first of them, as sentences. */
  examples: string[]
}

/** Examples that a note holds, and those of them that a warning shows. */
const HELD = 20
const SHOWN = 5

/** Rows after which an unreadable file is given up. */
const GIVE_UP = 1000

/** Gathers a report while rows go by. */
export class ReportBuilder {
  readonly report: DatasetReport
  private readonly dialects = new Set<string>()
  private readonly sets = new Map<string, { dataset: string; split?: string; questions: number }>()

  constructor(paths: readonly string[], format: FileFormat) {
    const none = (): DatasetNote => ({ count: 0, examples: [] })
    this.report = {
      paths: [...paths],
      format,
      dialects: [],
      rows: 0,
      questions: 0,
      sets: [],
      faulty: none(),
      unanswerable: none(),
      repeated: none(),
    }
  }

  question(dialect: string, dataset: string, split: string | undefined): void {
    this.dialects.add(dialect)
    this.report.questions++
    const key = JSON.stringify([dataset, split])
    const set = this.sets.get(key) ?? { dataset, ...(split !== undefined && { split }), questions: 0 }
    set.questions++
    this.sets.set(key, set)
  }

  note(kind: 'faulty' | 'unanswerable' | 'repeated', sentence: string): void {
    const note = this.report[kind]
    note.count++
    if (note.examples.length < HELD) note.examples.push(sentence)
  }

  /** Whether so much is wrong that reading on is no use. */
  get hopeless(): boolean {
    return this.report.faulty.count >= GIVE_UP && this.report.questions === 0
  }

  finish(): DatasetReport {
    this.report.dialects = [...this.dialects]
    this.report.sets = [...this.sets.values()].map((set) => {
      const expected = expectedSizes(set.dataset, set.split)
      return expected.length === 0 || expected.includes(set.questions) ? set : { ...set, expected: [...expected] }
    })
    return this.report
  }
}

/** What of a report its reader should know, as lines; empty where all is as expected. */
export function warningsOf({ sets, faulty, unanswerable, repeated }: DatasetReport): string[] {
  const lines = sets.flatMap(({ dataset, split, questions, expected }) =>
    expected === undefined
      ? []
      : [
          `${dataset}${split === undefined ? '' : ` ${split}`} has ${questions} questions here, ${expected.join(' or ')} in full`,
        ],
  )
  if (faulty.count > 0) lines.push(`${count(faulty, 'row')} left out because they do not fit: ${list(faulty)}`)
  if (unanswerable.count > 0)
    lines.push(`${count(unanswerable, 'row')} left out because they have no answer: ${list(unanswerable)}`)
  if (repeated.count > 0)
    lines.push(`${count(repeated, 'question')} asked in the same words as another: ${list(repeated)}`)
  return lines
}

const count = ({ count: n }: DatasetNote, what: string): string => `${n} ${what}${n === 1 ? ' is' : 's are'}`
const list = ({ count: n, examples }: DatasetNote): string =>
  `${examples.slice(0, SHOWN).join('; ')}${n > SHOWN ? `; and ${n - SHOWN} more` : ''}`
