/** What a training run will take, as `forecast` found it before the run. */
export interface Forecast {
  /** Name of the policy. */
  policy: string
  /** Number of the policy's parameters. */
  parameters: number
  /** Number of those that are trained. */
  trainedParameters: number
  /** Peak memory of the whole process by part, in bytes, for sequences as long as those of the probe. */
  memory: MemoryParts
  /** Sum of the parts, in bytes. */
  peakBytes: number
  /** The same if trajectories become as long as protocol and context allow. */
  peakBytesAtFullLength: number
  /** That length, in ids. */
  fullLength: number
  /** What the process could take beside what it held when it was asked, in bytes; Infinity where nobody knows. */
  availableBytes: number
  /** Rollouts of an update; with `samplingRounds` the number to expect, as rewards are now. */
  trajectoriesPerUpdate: number
  /** Ids of an update's trajectories, prompts and observations included. */
  tokensPerUpdate: number
  /** Those of them that the policy samples, which are the trained ones. */
  sampledTokensPerUpdate: number
  /** Calls of the search engine. */
  searchesPerUpdate: number
  /** Wall time of an update's rollouts with rewards, in seconds. */
  rolloutSeconds: number
  /** Wall time of an update's optimization, in seconds. */
  updateSeconds: number
  /**
   * What tracing and compiling add over the whole run, in seconds: for rollouts at its beginning, less where this process has
   * done it already; for the optimization whenever a batch has a new shape, which becomes rare.
   */
  warmUpSeconds: number
  /** Updates of the run. */
  updates: number
  /** Wall time of all updates and the warm-up, in seconds; saving and `onUpdate` come on top. */
  totalSeconds: number
  /** Ids of all trajectories, prompts and observations included. */
  totalTokens: number
  /** Searches, and so calls of the simulator. */
  totalSearches: number
  /** What was really played to find out. */
  probe: {
    /** Rollouts that were played. */
    trajectories: number
    /** Wall time of the whole probe. */
    seconds: number
  }
}

/** Bytes of memory by what they are for. */
export interface MemoryParts {
  /** The policy. */
  weights: number
  /** Accumulated gradients, and those of one layer on their way there. */
  gradients: number
  /** Adam's two moments. */
  optimizerStates: number
  /** The frozen copy that the divergence is taken from. */
  reference: number
  /** Weights, gradients and moments of PPO's critic; 0 where there is none, or the policy's weights are its own. */
  critic: number
  /**
   * The copy of weights and moments from before the batch, where it has several steps; 0 where it would take more than a quarter
   * of the free memory, for the run then goes without.
   */
  undo: number
  /** What a microbatch's forward pass leaves for its gradient, and one layer's work. */
  activations: number
  /** Logits of the trained tokens, block by block, with what becomes of them. */
  logits: number
  /** Keys and values of the policy's conversations. */
  cache: number
  /** The rest, measured: Node, TensorFlow with its compiled functions and holes, the search engine, models of others. */
  process: number
}

/** What the parts are called where they are shown. */
export const MEMORY_PART_NAMES: Readonly<Record<keyof MemoryParts, string>> = {
  weights: 'weights',
  gradients: 'gradients',
  optimizerStates: 'optimizer states',
  reference: 'reference',
  critic: 'critic',
  undo: 'undo copy',
  activations: 'activations',
  logits: 'logits',
  cache: 'cache',
  process: 'process',
}
