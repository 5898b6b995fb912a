import type { ColumnTable } from 'arquero'
import { escapeHtml } from './html.js'

const CELL = 'padding: 2px 10px; border: none;'

/** A table as HTML: numbers to the right and rounded, long tables cut with a word on what is missing. */
export function tableHtml(table: ColumnTable, maxRows = 30): string {
  const names = table.columnNames()
  const rows = table.objects({ limit: maxRows }) as Record<string, unknown>[]
  const head = names.map((name) => `<th style="${CELL} text-align: ${alignment(rows, name)};">${escapeHtml(name)}</th>`)
  const body = rows.map((row) => {
    const cells = names.map(
      (name) => `<td style="${CELL} text-align: ${alignment(rows, name)};">${escapeHtml(cellText(row[name]))}</td>`,
    )
    return `<tr>${cells.join('')}</tr>`
  })
  const total = table.numRows()
  const more = total > rows.length ? `<div>showing ${rows.length} of ${total} rows</div>` : ''
  return `<table style="border-collapse: collapse;"><thead><tr>${head.join('')}</tr></thead><tbody>${body.join('')}</tbody></table>${more}`
}

function alignment(rows: readonly Record<string, unknown>[], name: string): 'left' | 'right' {
  return rows.every((row) => typeof row[name] === 'number' || row[name] === null) ? 'right' : 'left'
}

function cellText(value: unknown): string {
  if (value === null || value === undefined) return ''
  if (typeof value === 'string') return value
  if (typeof value !== 'number') return JSON.stringify(value)
  if (Number.isInteger(value)) return String(value)
  return Math.abs(value) < 0.001 ? value.toExponential(2) : value.toFixed(3)
}
