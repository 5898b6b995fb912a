/**
 * ZeroSearch in a notebook: a policy LLM learns to search against an LLM that plays the search engine.
 * What is exported here is the public interface.
 */
import { showProgress } from './display/task-progress.js'

export type { Document, Quality } from './schema/document.js'
export type { Domain, Question } from './schema/question.js'
export type { Score } from './schema/score.js'
export type { FailureCause } from './schema/failure-summary.js'
export type {
  Action,
  FailureBoundary,
  Observation,
  Trajectory,
  TrajectoryStopReason,
  Turn,
} from './schema/trajectory.js'
export type { Metrics, UpdateRecord } from './schema/update-record.js'
export { questionSchema, scoreSchema, trajectorySchema } from './schema/record-schemas.js'
export { readJsonl, streamJsonl, writeJsonl } from './file/jsonl.js'

export { readQuestions } from './dataset/read-questions.js'

export { loadTokenizer } from './tokenizer/load-tokenizer.js'
export type { Message, Tokenizer } from './tokenizer/tokenizer.js'
export { resolveModel } from './model/download.js'
export type { DownloadProgress, ResolveModelOptions } from './model/download.js'
export type { ModelConfig } from './model/config.js'
export type { ModelFamily } from './model/family/families.js'
export type { Activation, LinearScaling, Llama3Scaling, Rope } from './model/family/family.js'
export type { Weights } from './model/weights.js'
export { chat } from './language-model/chat.js'
export type { Completion, CompletionOptions, LanguageModel } from './language-model/language-model.js'
export { loadModel } from './language-model/local-model.js'
export type { LocalModel, LocalModelOptions, SaveOptions } from './language-model/local-model.js'
export { cached } from './language-model/cached.js'
export type { CacheCount, CachedModel, CachedOptions } from './language-model/cached.js'
export { openAi } from './language-model/open-ai.js'
export type { OpenAiModel, OpenAiOptions } from './language-model/open-ai.js'
export type { Price, Usage } from './language-model/usage.js'
export type { ServerOptions } from './http/options.js'
export type { Conversation, Generation, GenerationLimits, Policy, Sampling } from './policy/policy.js'

export { createBm25Engine } from './search/bm25.js'
export type { Bm25Options } from './search/bm25.js'
export type { IndexedDocument } from './search/bm25-index.js'
export type { SearchContext, SearchEngine } from './search/search-engine.js'
export { createSimulator } from './simulator/simulator.js'
export type { Simulation, Simulator, SimulatorOptions } from './simulator/simulator.js'
export { parseDocuments } from './simulator/parse-documents.js'
export { simulatorPrompt, zerosearchSimulatorPrompt } from './simulator/prompts.js'
export type { SimulatorPrompt, SimulatorPromptOptions, Told } from './simulator/prompts.js'
export { drawQuality, noiseThreshold } from './simulator/curriculum.js'
export type { Curriculum, CurriculumGrowth, CurriculumSteps } from './simulator/curriculum.js'

export { zerosearchProtocol } from './rollout/protocol.js'
export type { Protocol } from './rollout/protocol.js'
export { rollOut, rollOutMany } from './rollout/roll-out.js'
export type { RolloutOptions } from './rollout/rollout-options.js'

export { coverExactMatch, exactMatch, f1, normalizeAnswer } from './reward/answer-metrics.js'
export { extractAnswer } from './reward/extract-answer.js'
export { formatScore } from './reward/format-score.js'

export { train, TrainingStopped } from './train/train.js'
export type { RunConfig } from './train/run-config.js'
export type { TrainOptions } from './train/train-options.js'
export type { LearningRateSchedule } from './train/learning-rate.js'
export type { RunManifest } from './train/run-manifest.js'
export type { SaveEvery } from './train/run-saver.js'
export type { Trainable } from './train/loss-function.js'
export { trainSupervised } from './train/supervised.js'
export type { Example, SupervisedOptions, SupervisedRecord } from './train/supervised.js'

export { EvaluationError, evaluate } from './evaluation/evaluate.js'
export type { EvaluateOptions } from './evaluation/evaluate.js'
export { policyMethod } from './evaluation/methods/policy.js'
export { directMethod } from './evaluation/methods/direct.js'
export { ragMethod } from './evaluation/methods/rag.js'
export type { RagOptions } from './evaluation/methods/rag.js'
export type { BaselineOptions } from './evaluation/methods/one-message.js'
export { zerosearchBaselinePrompts } from './evaluation/methods/baseline-prompts.js'
export type { BaselinePrompts } from './evaluation/methods/baseline-prompts.js'
export { comparePaired } from './evaluation/compare.js'
export type { PairedComparison } from './evaluation/compare.js'
export type { AnswerContext, Method } from './evaluation/method.js'

export { comparisonTable } from './table/comparison-table.js'
export type { ComparisonOptions, ComparisonRow } from './table/comparison-table.js'
export { scoreTable } from './table/score-table.js'
export { trainingTable } from './table/training-table.js'
export { toDataFrame } from './table/danfo.js'
export * as plot from './plot/index.js'
export { figureToPng, figureToSvg } from './plot/static-figure.js'
export type { DrawOptions } from './plot/static-figure.js'
export * as mini from './mini/index.js'
export { display, liveDisplay } from './display/notebook.js'
export type { LiveDisplay } from './display/notebook.js'
export { progressBar, track } from './display/progress.js'
export type { ProgressBar, ProgressOptions } from './display/progress.js'
export { foldingLog } from './display/folding-log.js'
export type { FoldingLog } from './display/folding-log.js'
export { toMimeBundle } from './display/mime-bundle.js'
export { html, markdown, png, svg } from './display/explicit.js'
export type { MimeBundle, View } from './display/bundle.js'
export type { ShowOptions } from './display/mime-bundle.js'
export { Widget, widget } from './widget/widget.js'
export type { WidgetOptions } from './widget/widget.js'
export { slider } from './widget/slider.js'
export type { SliderOptions, SliderState } from './widget/slider.js'

showProgress()
