import { appendFileSync, mkdirSync, readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** One input: session, line, text, and the text of its result. */
type Entry = [session: number, line: number, input: string, output: string | null]

interface HistoryRequest {
  hist_access_type: 'range' | 'tail' | 'search'
  output?: boolean
  session?: number
  start?: number
  stop?: number | null
  n?: number | null
  pattern?: string
  unique?: boolean
}

/** How many entries are read back at the start. */
const READ_BACK = 10_000

/** What was executed, in this session and earlier ones: a file of JSON lines that only its owner can read. */
export class History {
  readonly #file: string
  readonly #entries: Entry[]
  readonly #session: number

  constructor(file: string) {
    this.#file = file
    this.#entries = readEntries(file)
    this.#session = (this.#entries.at(-1)?.[0] ?? 0) + 1
  }

  add(line: number, input: string, output: string | null): void {
    const entry: Entry = [this.#session, line, input, output]
    this.#entries.push(entry)
    try {
      mkdirSync(dirname(this.#file), { recursive: true, mode: 0o700 })
      appendFileSync(this.#file, `${JSON.stringify(entry)}\n`, { mode: 0o600 })
    } catch {
      // A full or read-only disk must not fail a cell: the history of this session stays in memory.
    }
  }

  /** Answers a `history_request`: `[session, line, input]`, or `[session, line, [input, output]]`. */
  find(request: HistoryRequest): [number, number, string | [string, string | null]][] {
    return this.#select(request).map(([session, line, input, output]) => [
      session,
      line,
      request.output ? [input, output] : input,
    ])
  }

  #select({ hist_access_type: type, session = 0, start = 0, stop, n, pattern = '*', unique }: HistoryRequest): Entry[] {
    if (type === 'range') {
      const wanted = session > 0 ? session : this.#session + session
      return this.#entries.filter(
        ([of, line]) => of === wanted && line >= start && (stop === null || stop === undefined || line < stop),
      )
    }
    let found = this.#entries
    if (type === 'search') {
      if (typeof pattern !== 'string')
        throw new TypeError(`history_request: the pattern must be a string, got ${typeof pattern}`)
      const matches = globPattern(pattern)
      found = found.filter(([, , input]) => matches.test(input))
      if (unique) found = [...new Map(found.map((entry) => [entry[2], entry])).values()]
    }
    return typeof n === 'number' ? found.slice(Math.max(0, found.length - n)) : found
  }
}

export function historyFile(): string {
  const data =
    process.platform === 'darwin'
      ? join(homedir(), 'Library', 'Jupyter')
      : join(process.env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'jupyter')
  return join(process.env['JUPYTER_DATA_DIR'] || data, 'zerosearch-history.jsonl')
}

function readEntries(file: string): Entry[] {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch {
    return []
  }
  return text
    .split('\n')
    .slice(-READ_BACK - 1)
    .flatMap((line) => {
      try {
        const entry: unknown = JSON.parse(line)
        return Array.isArray(entry) && entry.length === 4 ? [entry as Entry] : []
      } catch {
        return [] // the empty last line, or one that was not written to its end
      }
    })
}

/** IPython's patterns: `*` is any text, `?` one character. */
function globPattern(pattern: string): RegExp {
  const escaped = pattern.replace(/[.+^${}()|[\]\\]/g, '\\$&')
  return new RegExp(`^${escaped.replace(/\*/g, '[^]*').replace(/\?/g, '[^]')}$`)
}
