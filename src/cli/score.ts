import { readQuestions } from '../dataset/read-questions.js'
import { scorePredictions } from '../evaluation/score-predictions.js'
import { writeJsonl } from '../file/jsonl.js'
import { comparisonTable } from '../table/comparison-table.js'
import type { ComparisonRow } from '../table/comparison-table.js'
import { comparisonText } from './comparison-text.js'

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
  return comparisonText(comparisonTable(scores).objects() as ComparisonRow[])
}
