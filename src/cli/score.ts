import { readQuestions } from '../dataset/read-questions.js'
import { scorePredictions } from '../evaluation/score-predictions.js'
import { writeJsonl } from '../file/jsonl.js'
import { comparisonTable } from '../table/comparison-table.js'
import type { ComparisonRow } from '../table/comparison-table.js'

export interface ScoreOptions {
  questions?: string[]
  dataset?: string
  method?: string
  out?: string
}

/** Scores a file of predictions. @returns what is to be printed */
export async function score(path: string, { questions: files = [], out, ...names }: ScoreOptions): Promise<string> {
  const questions = (
    await Promise.all(files.map((file) => readQuestions(file, names.dataset ? { dataset: names.dataset } : {})))
  ).flat()
  const scores = await scorePredictions(path, { ...names, ...(files.length > 0 && { questions }) })
  if (out !== undefined) await writeJsonl(out, scores)
  return textOf(comparisonTable(scores).objects() as ComparisonRow[])
}

const HEAD = ['method', 'set', 'questions', 'answered', 'EM', '95 % interval', 'cover EM', 'F1', "paper's EM"]

function textOf(rows: readonly ComparisonRow[]): string {
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
