import { quote } from '../file/file-record.js'

/** A record of a file, by column name. */
export type Row = Readonly<Record<string, unknown>>

/** A row that holds no question that can be asked and scored. The message ends a sentence about the row. */
export class RowFault extends Error {}

/** True for objects that are no lists. */
export const isRow = (value: unknown): value is Row =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value)

/** A text that is not blank. */
export function textOf(row: Row, column: string): string {
  const value = row[column]
  if (value === undefined || value === null) throw missing(row, column)
  if (typeof value !== 'string') throw new RowFault(`column ${column} must be a text, got ${shown(value)}`)
  if (value.trim() === '') throw new RowFault(`column ${column} is empty`)
  return withoutCsvQuotes(value)
}

/** What identifies a row, as a text; undefined where there is none. */
export function idOf(value: unknown): string | undefined {
  if (typeof value === 'string' && value !== '') return value
  return typeof value === 'number' && Number.isSafeInteger(value) ? String(value) : undefined
}

export const missing = (row: Row, column: string): RowFault =>
  new RowFault(`column ${column} is missing; the columns are ${Object.keys(row).join(', ') || 'none'}`)

/** Between answers that were joined into one text (DeepResearcher). */
const ANSWER_SPLIT = '<|answer_split|>'

/**
 * Accepted answers, out of any of their forms: a list, one text, a number, a list as the text of a cell (JSON, or Python
 * as DPR writes it), texts joined by `<|answer_split|>`, or an object that holds them (verl's `target`, TriviaQA's `value`
 * and `aliases`, SQuAD's `text`). Blank ones are dropped.
 */
export function answersOf(row: Row, column: string): string[] {
  const value = row[column]
  if (value === undefined || value === null) throw missing(row, column)
  const answers = flatten(value, column).map(withoutCsvQuotes)
  const filled = answers.filter((answer) => answer.trim() !== '')
  if (filled.length === 0) throw new RowFault(`column ${column} holds no answer that is not empty`)
  return filled
}

function flatten(value: unknown, column: string): string[] {
  if (typeof value === 'string') {
    const holder = holderInText(value)
    return holder ? flatten(holder, column) : (listInText(value) ?? value.split(ANSWER_SPLIT))
  }
  if (typeof value === 'number' && Number.isFinite(value)) return [String(value)]
  if (Array.isArray(value)) {
    return value.flatMap((each: unknown) => {
      if (typeof each === 'string') return each.split(ANSWER_SPLIT)
      if (typeof each === 'number' && Number.isFinite(each)) return [String(each)]
      if (isRow(each)) return flatten(each, column)
      throw new RowFault(`column ${column} must be a list of texts, got ${shown(each)} in it`)
    })
  }
  if (isRow(value)) {
    const inner = HOLDING.find((key) => value[key] !== undefined)
    if (inner !== undefined) {
      const first = flatten(value[inner], `${column}.${inner}`)
      const aliases = value['aliases'] ?? value['Aliases']
      return aliases === undefined || aliases === null ? first : unique([...first, ...flatten(aliases, column)])
    }
  }
  throw new RowFault(`column ${column} must be a text or a list of texts, got ${shown(value)}`)
}

const HOLDING = ['target', 'text', 'value', 'Value'] as const

/** An object that holds answers, as JSON in a text: `{"target": ["a", "b"]}`. */
function holderInText(text: string): Row | undefined {
  if (!/^\s*\{\s*"/.test(text)) return undefined
  try {
    const value: unknown = JSON.parse(text)
    return isRow(value) && HOLDING.some((key) => value[key] !== undefined) ? value : undefined
  } catch {
    return undefined
  }
}

/**
 * A list that a cell holds as text: `["a", "b"]`, or as Python writes it: `['a', "b"]`, `('a', 'b')`, numpy's `['a' 'b']` and
 * `array(['a', 'b'], dtype=object)`.
 */
export function listInText(text: string): string[] | undefined {
  const trimmed = NUMPY_ARRAY.exec(text)?.[1] ?? text.trim()
  const tuple = trimmed.startsWith('(') && trimmed.endsWith(')') ? `[${trimmed.slice(1, -1)}]` : undefined
  if (tuple !== undefined) return PYTHON_LIST.test(tuple) ? pythonTexts(tuple) : undefined
  if (!trimmed.startsWith('[') || !trimmed.endsWith(']')) return undefined
  try {
    const list = JSON.parse(trimmed) as unknown[]
    return list.every((each) => typeof each === 'string' || typeof each === 'number') ? list.map(String) : undefined
  } catch {
    return PYTHON_LIST.test(trimmed) ? pythonTexts(trimmed) : undefined
  }
}

const NUMPY_ARRAY = /^\s*array\((\[[^]*\])(?:,\s*dtype=[\w'<>]+)?\)\s*$/
const PYTHON_TEXT = /'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*"/g
const PYTHON_LIST = /^\[\s*(?:(?:'(?:[^'\\]|\\[^])*'|"(?:[^"\\]|\\[^])*")(?:\s*,\s*|\s+|(?=\])))*\]$/

const pythonTexts = (list: string): string[] => [...list.matchAll(PYTHON_TEXT)].map(([each]) => fromPython(each))

const fromPython = (literal: string): string =>
  literal
    .slice(1, -1)
    .replace(/\\(?:x([0-9a-f]{2})|u([0-9a-f]{4})|([^]))/gi, (_, x?: string, u?: string, c?: string) => {
      const code = x ?? u
      return code === undefined ? ({ n: '\n', r: '\r', t: '\t' }[c!] ?? c!) : String.fromCharCode(parseInt(code, 16))
    })

/**
 * Undoes CSV's quoting that a converter left in: `"What is ""this""?"`. Only where every inner quote is doubled: a title in
 * quotes, `"Fix You"`, is left as it is.
 */
export function withoutCsvQuotes(text: string): string {
  if (text.length < 4 || !text.startsWith('"') || !text.endsWith('"')) return text
  const inner = text.slice(1, -1)
  return inner.includes('""') && !inner.replaceAll('""', '').includes('"') ? inner.replaceAll('""', '"') : text
}

/** The answers of a column, and those of `answer_aliases` where the row has some. */
export function answersWithAliases(row: Row, column: string): string[] {
  const aliases = row['answer_aliases']
  const more = Array.isArray(aliases) && aliases.length > 0 ? answersOf(row, 'answer_aliases') : []
  return unique([...answersOf(row, column), ...more])
}

export const unique = (texts: readonly string[]): string[] => [...new Set(texts)]

const shown = (value: unknown): string => quote(JSON.stringify(value) ?? typeof value)
