import type { ComparisonRow } from '../table/comparison-table.js'

const HEAD = ['method', 'set', 'questions', 'answered', 'EM', '95 % interval', 'cover EM', 'F1', "paper's EM"]

/** A table of comparisons in columns of text. */
export function comparisonText(rows: readonly ComparisonRow[]): string {
  const share = (value: number | null): string => (value === null ? '' : value.toFixed(4))
  const cells = rows.map((row) => [
    row.method,
    row.dataset === 'average' ? `average (${row.domain ?? ''})` : row.dataset,
    String(row.n),
    share(row.answered),
    share(row.em),
    `${share(row.emLow)} to ${share(row.emHigh)}`,
    share(row.coverEm),
    share(row.f1),
    share(row.paperEm),
  ])
  const widths = HEAD.map((name, i) => Math.max(name.length, ...cells.map((line) => line[i]!.length)))
  return [HEAD, ...cells]
    .map((line) =>
      line
        .map((cell, i) => (i < 2 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!)))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
