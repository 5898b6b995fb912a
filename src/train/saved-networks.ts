import { access } from 'node:fs/promises'
import { readWeightFile } from '../model/weight-file.js'
import { cloneWeights, disposeWeights } from '../model/weights.js'
import type { Weights } from '../model/weights.js'
import { modelWeights } from './loss-function.js'
import type { ModelWeights, Trainable } from './loss-function.js'
import { stateFile } from './run-folder.js'
import { createValueHead } from './value-head.js'

/** What a saved run keeps beside its policy, ready to compute with. */
export interface SavedNetworks {
  /** Absent where the run has none in its folder, and no adapter below which it would be. */
  reference?: ModelWeights
  /** Weights with a value head; absent where the algorithm has no critic. */
  critic?: ModelWeights
  /** Frees what was read. */
  dispose(): void
}

/**
 * Reads the reference and the critic of a saved run.
 * @param policy The run's: what it does not train is shared with them.
 * @throws {Error} where the run is of another model
 */
export async function readSavedNetworks(folder: string, policy: Trainable): Promise<SavedNetworks> {
  const { trainable, frozen } = modelWeights(policy)
  const read: Weights[] = []
  /** Takes the new weights over before anything can fail. */
  const filled = async (name: string, making: Promise<Weights>): Promise<Weights> => {
    const weights = await making
    read.push(weights)
    await readWeightFile(stateFile(folder, name), weights)
    return weights
  }
  const networks: SavedNetworks = { dispose: () => read.forEach(disposeWeights) }
  try {
    if (await isSaved(folder, 'reference'))
      networks.reference = { trainable: await filled('reference', cloneWeights(trainable)), frozen }
    else if (policy.adapter) networks.reference = { trainable: {}, frozen }
    if (await isSaved(folder, 'critic')) {
      const copy = await cloneWeights(trainable)
      const weights = createValueHead(policy).then((head) => ({ ...copy, ...head }))
      networks.critic = { trainable: await filled('critic', weights), frozen }
    } else if (await isSaved(folder, 'valueHead')) {
      const head = await filled('valueHead', createValueHead(policy))
      networks.critic = { trainable: { ...trainable, ...head }, frozen }
    }
    return networks
  } catch (error) {
    networks.dispose()
    throw error
  }
}

const isSaved = (folder: string, name: string): Promise<boolean> =>
  access(stateFile(folder, name)).then(
    () => true,
    () => false,
  )
