/** The mini world: real facts, seven small question sets and tiny models that a laptop trains (data/mini/README.md). */
export {
  MINI_DATASETS as datasets,
  MINI_LABELS as labels,
  miniCheckpoint as checkpoint,
  miniDocuments as documents,
  miniQuestions as questions,
} from './dataset.js'
export type { MiniDataset, Split } from './dataset.js'
export { miniBaselinePrompts as baselinePrompts } from './baseline-prompts.js'
export { experimentMeasures, experimentRuns, experimentTable, miniExperiments as experiments } from './experiments.js'
export type { Experiment, ExperimentFigures } from './experiments.js'
export { miniProtocol as protocol } from './protocol.js'
export { miniSimulatorPrompt as simulatorPrompt } from './simulator-prompt.js'
