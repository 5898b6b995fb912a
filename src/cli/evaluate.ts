import { showProgress, taskText } from '../display/task-progress.js'
import { evaluate } from '../evaluation/evaluate.js'
import { onProgress } from '../host/progress.js'
import { comparisonTable } from '../table/comparison-table.js'
import type { ComparisonRow } from '../table/comparison-table.js'
import { comparisonText } from './comparison-text.js'
import { readEvaluationFile } from './evaluation-file.js'

export interface EvaluateCommand {
  resume?: true
  overwrite?: true
}

/** Time between two lines, where there is no terminal to draw a bar on. */
const LINE_MS = 5000

/**
 * Runs the configuration file of an evaluation: a bar on a terminal, lines elsewhere; at the end the table of exact match.
 * @returns the exit code
 */
export async function runEvaluation(path: string, command: EvaluateCommand): Promise<number> {
  const stop = new AbortController()
  const interrupt = (): void => {
    process.removeListener('SIGINT', interrupt)
    process.removeListener('SIGTERM', interrupt)
    console.error('\ninterrupted; what has been scored is saved. Once more ends it at once')
    stop.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  const endProgress = showProgress()
  let saveTo: string | undefined
  try {
    const options = await readEvaluationFile(path, { ...command })
    if (stop.signal.aborted) return 130
    saveTo = options.saveTo
    const endLines = printLines()
    const scores = await evaluate({ ...options, signal: stop.signal }).finally(endLines)
    console.log(comparisonText(comparisonTable(scores).objects() as ComparisonRow[]))
    console.log(`done; ${saveTo === undefined ? 'it is not saved, for saveTo is not given' : `saved in ${saveTo}`}`)
    return 0
  } catch (error) {
    if (!stop.signal.aborted || error !== stop.signal.reason) throw error
    const rest =
      saveTo === undefined ? 'it is not saved, for saveTo is not given' : `--resume goes on with it in ${saveTo}`
    console.error(`evaluate: stopped; ${rest}`)
    return 130
  } finally {
    process.removeListener('SIGINT', interrupt)
    process.removeListener('SIGTERM', interrupt)
    endProgress()
  }
}

/** Prints a line from time to time, where no bar is drawn. @returns ends it */
function printLines(): () => void {
  let printed = performance.now()
  return onProgress((task) => {
    if (process.stderr.isTTY || task.title !== 'evaluate' || performance.now() - printed < LINE_MS) return
    printed = performance.now()
    console.log(taskText(task).replace(/\p{Cc}/gu, ' '))
  })
}
