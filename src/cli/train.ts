import { showProgress } from '../display/task-progress.js'
import type { FinetuneRecord } from '../schema/finetune-record.js'
import type { UpdateRecord } from '../schema/update-record.js'
import { finetune } from '../train/finetune.js'
import { train } from '../train/train.js'
import { TrainingStopped } from '../train/training-stopped.js'
import { interruption } from './interruption.js'
import { readRunFile } from './run-file.js'

export interface TrainCommand {
  resume?: true
  overwrite?: true
}

/** Time between two lines, where there is no terminal to draw a bar on. */
const LINE_MS = 5000

/**
 * Runs a configuration file: a bar on a terminal, lines elsewhere.
 * @returns the exit code
 */
export async function runTraining(path: string, command: TrainCommand): Promise<number> {
  const { signal, end } = interruption('the step under way ends, and the run is saved')
  const endProgress = showProgress()
  try {
    const run = await readRunFile(path, { ...command })
    if (signal.aborted) return 130
    const say = lines()
    const records =
      run.kind === 'train'
        ? await train({
            ...run.options,
            signal,
            onUpdate: (record) => (say(updateLine(record)), undefined),
          })
        : await finetune({ ...run.options, signal, onStep: (record) => say(stepLine(record)) })
    const last = records.at(-1)!
    const where =
      run.options.saveTo === undefined ? 'it is not saved, for saveTo is not given' : `saved in ${run.options.saveTo}`
    console.log(`${'update' in last ? updateLine(last) : stepLine(last)}\ndone; ${where}`)
    return 0
  } catch (error) {
    if (!(error instanceof TrainingStopped)) throw error
    console.error(error.message)
    await error.ended
    return 130
  } finally {
    end()
    endProgress()
  }
}

/** Prints a line from time to time, where no bar is drawn. */
function lines(): (line: string) => void {
  let printed = -Infinity
  return (line) => {
    if (process.stderr.isTTY || performance.now() - printed < LINE_MS) return
    printed = performance.now()
    console.log(line)
  }
}

const updateLine = ({ update, reward, em, kl, rolloutSeconds, updateSeconds }: UpdateRecord): string =>
  `update ${update}: reward ${reward.toFixed(3)}, EM ${em.toFixed(3)}, KL ${kl.toFixed(4)}, ` +
  `${(rolloutSeconds + updateSeconds).toFixed(1)} s`

const stepLine = ({ step, loss, heldOutLoss, learningRate }: FinetuneRecord): string =>
  `step ${step}: loss ${loss.toFixed(4)}${heldOutLoss === undefined ? '' : `, held out ${heldOutLoss.toFixed(4)}`}, ` +
  `learning rate ${learningRate.toPrecision(3)}`
