import { showProgress } from '../display/task-progress.js'
import { buildSimulatorData } from '../simulator-data/build.js'
import { interruption } from './interruption.js'
import { readSimulatorDataFile } from './simulator-data-file.js'

export interface SimulatorDataCommand {
  resume?: true
  overwrite?: true
}

/**
 * Runs a configuration file, with a bar on a terminal.
 * @returns the exit code
 */
export async function collectSimulatorData(path: string, command: SimulatorDataCommand): Promise<number> {
  const { signal, end } = interruption('what was collected is kept')
  const endProgress = showProgress()
  try {
    const options = await readSimulatorDataFile(path, { ...command })
    if (signal.aborted) return 130
    const { folder, counts } = await buildSimulatorData({ ...options, signal })
    const { train, heldOut } = counts.examples
    const { right, wrong, all } = counts.attempts
    console.log(
      `${all} attempts, ${right} right, ${wrong} wrong; ${train.useful} useful and ${train.noisy} noisy examples, ` +
        `${heldOut.useful} and ${heldOut.noisy} held out\ndone; saved in ${folder}`,
    )
    return 0
  } catch (error) {
    if (!signal.aborted) throw error
    console.error('stopped; --resume goes on')
    return 130
  } finally {
    end()
    endProgress()
  }
}
