import type { Calibration, DocumentMeasures } from '../../src/schema/calibration.js'
import type { Forecast } from '../../src/schema/forecast.js'
import type { Question } from '../../src/schema/question.js'
import type { Score } from '../../src/schema/score.js'
import type { TokenView } from '../../src/schema/token-view.js'
import type { Trajectory } from '../../src/schema/trajectory.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'

const question: Required<Question> = {
  id: 'mini-nq-test-1',
  dataset: 'mini-nq',
  domain: 'in-domain',
  split: 'test',
  question: 'Capital of Peru?',
  goldAnswers: ['Lima', 'City of Lima'],
  supportingFacts: ['The capital of Peru is Lima.'],
}

const document = { title: 'Peru', text: 'Its capital is Lima.', rank: 1, score: 2.5 }

const trajectory: Trajectory = {
  question,
  turns: [
    {
      text: 'Hm. <think> Where? </think>',
      action: { kind: 'invalid', cause: 'neither a search nor an answer' },
      observation: { text: '<information> My action is not valid. </information>', documents: [] },
    },
    {
      text: '<search> Peru </search>',
      action: { kind: 'search', query: 'Peru' },
      observation: { text: '<information> Doc 1 </information>', documents: [document], quality: 'useful' },
    },
    { text: '<answer> Lima </answer>', action: { kind: 'answer', answer: 'Lima' } },
  ],
  ids: [5, 6, 7],
  lossMask: [0, 1, 1],
  logprobs: [0, -0.5, -0.25],
  promptLength: 1,
  answer: 'Lima',
  stopReason: 'answer',
  searches: 1,
  seed: 7,
}

const score: Required<Score> = {
  ...{ method: 'after', dataset: 'mini-nq', domain: 'in-domain', questionId: 'mini-nq-test-1', answer: 'Lima' },
  ...{
    em: 1,
    coverEm: 1,
    f1: 1,
    paperEm: 1,
    searches: 1,
    answered: 1,
    turns: 1,
    tokens: 2,
    pages: 0,
    seconds: 1.5,
    cost: 0.001,
    budget: { searches: 5 },
    failure: 'search: no network',
  },
}

const update: Required<UpdateRecord> = {
  ...{ update: 1, reward: 0.25, em: 0.2, noiseThreshold: 0.1, searchesPerQuestion: 1, kl: 0.001, loss: 0.5 },
  rewardParts: { f1: 0.2, format: 0.05 },
  measures: { maxRatio: 1.1 },
  ...{ entropy: 1.5, clipFraction: 0, gradNorm: 0.3, learningRate: 1e-4, zeroVarianceGroups: 2, answered: 0.9 },
  ...{
    tokensPerTrajectory: 80,
    rolloutSeconds: 4,
    updateSeconds: 2,
    compileSeconds: 1,
    metrics: { validationEm: 0.3 },
  },
  ...{ trajectories: 9, failed: 1, skipped: 'no advantage' },
  ...{ samplingLogprobDifferenceMean: 2e-3, samplingLogprobDifferenceMax: 0.04 },
  failures: [{ message: 'search: no network', count: 1 }],
  ...{ validActions: 0.8, searchFaults: 1, groups: 2, zeroVarianceShare: 0.5, samplingRounds: 1, rolledBackTo: 0 },
  ...{ correctLogprobMean: -0.1, correctLogprobLow: -0.3, incorrectLogprobMean: -0.2, incorrectLogprobLow: -0.5 },
  ...{ policyTokensPerTrajectory: 20, observationTokensPerTrajectory: 40, searchSeconds: 2, rewardSeconds: 0.1 },
  ...{ tokensPerSecond: 120, residentBytes: 5e8 },
  warnings: [
    {
      metric: 'answered',
      since: 1,
      now: 0.2,
      before: 0.9,
      message: 'fewer answers',
      remedy: 'lower the learning rate',
    },
  ],
}

const view: TokenView = {
  ...{ question: 'Capital of Peru?', answer: 'Lima', stopReason: 'answer', policy: 'policy' },
  ...{ algorithm: 'ppo', reward: 1, klEstimator: 'k3' },
  tokens: [
    { place: 0, id: 5, text: 'Question', source: 'prompt', turn: 0, mask: 0 },
    {
      ...{ place: 1, id: 6, text: ' Lima', source: 'policy', turn: 1, mask: 1, samplerLogprob: -0.5 },
      ...{ trainerLogprob: -0.25, ratio: 1.28, kl: 0.01, value: 0.4, return: 1, advantage: 0.6 },
    },
  ],
}

const shown = { count: 7, of: 10, share: 0.7, low: 0.4, high: 0.89 }
const measures: DocumentMeasures = {
  ...{ searches: 10, failed: 1, holdsAnswer: shown, documentHoldsAnswer: shown, holdsAnswerByChance: shown },
  ...{ parsed: shown, complete: shown, words: { mean: 12.5, deviation: 3 }, distinct1: 0.4, distinct2: 0.8 },
  ...{ repeated: shown, resemblance: 0.2, seconds: { median: 0.5, p95: 0.9 }, cost: 0.001 },
  tokens: { prompt: 90, completion: 60 },
}
const distance = { divergence: 0.3, divergenceByChance: 0.1, told: { ...shown, pValue: 0.02 } }
const calibration: Calibration = {
  ...{ simulator: 'writer', reference: 'bm25', questions: 10, topK: 5, concurrency: 8, compileSeconds: 0 },
  ...{
    useful: measures,
    noisy: {} as DocumentMeasures,
    real: {} as DocumentMeasures,
    style: { useful: distance, noisy: null },
  },
  searches: [
    {
      ...{ questionId: 'q', question: 'Capital?', goldAnswers: ['Lima'], query: 'capital', quality: 'useful' },
      ...{ documents: [document], text: 'Doc 1: Lima', seconds: 0.5 },
    },
  ],
}

const forecast: Forecast = {
  ...{ policy: 'policy', parameters: 1_600_000, trainedParameters: 1_500_000, peakBytes: 4e9 },
  memory: {
    ...{ weights: 6.4e6, gradients: 6.5e6, optimizerStates: 1.28e7, reference: 3.2e6, critic: 0 },
    ...{ activations: 1e8, logits: 2e7, cache: 3e7, undo: 2e7, process: 5e8 },
  },
  ...{ peakBytesAtFullLength: 5e9, fullLength: 4096, availableBytes: 2e10 },
  ...{ trajectoriesPerUpdate: 80, tokensPerUpdate: 32_768, sampledTokensPerUpdate: 8192.5, searchesPerUpdate: 120 },
  ...{ rolloutSeconds: 60, updateSeconds: 30, warmUpSeconds: 12, updates: 200 },
  ...{ totalSeconds: 18_012, totalTokens: 6_553_600, totalSearches: 24_000 },
  probe: { trajectories: 105, seconds: 90 },
}

const variable = (shape: number[]): object => ({ shape, dtype: 'float32', name: 'weight' })

/** One of every kind of record that shows itself, with all of its fields. */
export const records = {
  question,
  document,
  trajectory,
  'failed trajectory': {
    ...trajectory,
    stopReason: 'failed',
    failure: { boundary: 'search', message: 'no network' },
  } satisfies Trajectory,
  'token view': view,
  score,
  'update record': update,
  forecast,
  calibration,
  replay: {
    ...{ questionId: 'q', dataset: 'd', question: 'Capital?', goldAnswers: ['Lima'], documents: 'noisy', turn: 0 },
    ...{ query: 'capital', before: 'Lima', after: 'Cusco', fate: 'changed', emBefore: 1, emAfter: 0, trajectory: {} },
  },
  'leak audit': {
    ...{ without: ['bm25'], samples: 4, leaked: shown, leakedOfRewarded: shown, reward: 0.5, rewardWithoutLeaked: 0.4 },
    trajectories: [],
  },
  'comparison of engines': {
    ...{ questions: 300, both: 100, onlySimulated: 40, onlyReal: 3, neither: 157, difference: -0.12 },
    ...{ low: -0.2, high: -0.05, pValue: 1e-9, simulated: [], real: [] },
  },
  'step of supervised training': { step: 1, loss: 2.5, gradNorm: 1, learningRate: 1e-3, tokens: 4096 },
  comparison: { questions: 300, onlyFirst: 3, onlySecond: 40, difference: -0.12, pValue: 1e-9 },
  generation: { ids: [5, 6], logprobs: [-0.5, -0.25], text: 'Lima', stopReason: 'eos' },
  completion: { text: 'Lima', finishReason: 'stop', stopString: '</answer>', promptTokens: 9, completionTokens: 2 },
  'simulator data': {
    ...{ folder: 'runs/data', train: 'runs/data/train.jsonl' },
    counts: {
      attempts: { all: 9, right: 4, wrong: 2 },
      searches: { all: 8 },
      examples: { train: { useful: 3, noisy: 2 }, heldOut: { useful: 1, noisy: 0 } },
    },
  },
  'simulator example': { quality: 'useful', question, query: 'Peru', documents: [document.text] },
  simulation: { documents: [{ text: document.text, rank: 1 }], text: 'Sure! Doc 1: Its capital is Lima.' },
  model: {
    name: 'policy',
    tokenizer: { vocabSize: 4096 },
    contextLength: 512,
    config: { family: 'qwen2', layers: 4, hiddenSize: 128, vocabSize: 4096 },
    weights: { embedding: variable([4096, 128]), norm: variable([128]) },
    start: () => undefined,
  },
}
