// Numbers and other things without sense are refused before anything is played or trained.
import { afterAll, beforeAll, describe, expect, it, test } from 'vitest'
import type { LocalModel } from '../../src/language-model/local-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { trainSupervised } from '../../src/train/supervised.js'
import type { SupervisedOptions } from '../../src/train/supervised.js'
import type { TrainOptions } from '../../src/train/train-options.js'
import { train } from '../../src/train/train.js'
import { aQuestion, allWeights, tinyPolicy } from './tiny-policy.js'

let policy: LocalModel
let before: Float32Array[]
beforeAll(async () => {
  policy = await tinyPolicy(() => expect.fail('a rollout was begun'))
  before = await allWeights(policy)
})
afterAll(async () => {
  expect(await allWeights(policy)).toEqual(before)
  policy.dispose()
})

describe('train refuses', () => {
  test.each([
    [{ learningRate: NaN }, 'train: learningRate must be a finite number, got NaN'],
    [{ learningRate: -1 }, 'train: learningRate must be more than 0, got -1'],
    [{ updates: NaN }, 'train: updates must be an integer, got NaN'],
    [{ updates: 0 }, 'train: updates must be at least 1, got 0'],
    [{ groupSize: 0 }, 'train: groupSize must be at least 2, got 0'],
    [{ groupSize: 1 }, 'train: groupSize must be at least 2, got 1'],
    [{ groupSize: 1.5 }, 'train: groupSize must be an integer, got 1.5'],
    [{ questionsPerUpdate: 0 }, 'train: questionsPerUpdate must be at least 1, got 0'],
    [{ maxGradNorm: NaN }, 'train: maxGradNorm must be a finite number, got NaN'],
    [{ maxGradNorm: 0 }, 'train: maxGradNorm must be more than 0, got 0'],
    [{ clip: -0.2 }, 'train: clip must be more than 0, got -0.2'],
    [{ clip: NaN }, 'train: clip must be a finite number, got NaN'],
    [{ klCoef: -1 }, 'train: klCoef must be at least 0, got -1'],
    [{ klCoef: Infinity }, 'train: klCoef must be a finite number, got Infinity'],
    [{ warmupRatio: 1.9 }, 'train: warmupRatio must be at most 1, got 1.9'],
    [{ temperature: 0 }, 'train: temperature must be more than 0, got 0'],
    [{ temperature: NaN }, 'train: temperature must be a finite number, got NaN'],
    [{ microbatchTokens: 0.5 }, 'train: microbatchTokens must be an integer, got 0.5'],
    [{ weightDecay: -1 }, 'train: weightDecay must be at least 0, got -1'],
    [{ topK: 0 }, 'train: topK must be at least 1, got 0'],
    [{ maxSearches: -1 }, 'train: maxSearches must be at least 0, got -1'],
    [{ maxFailedShare: 2 }, 'train: maxFailedShare must be at most 1, got 2'],
    [{ seed: 0.5 }, 'train: seed must be an integer, got 0.5'],
    [{ curriculum: { start: 0, end: 2 } }, 'train: curriculum.end must be a probability in [0, 1], got 2'],
    [
      { curriculum: { start: 0, end: 1, base: NaN } },
      'train: curriculum must be a probability, { start, end, base }, { start, steps: [{ at, threshold }] } or a function, got ',
    ],
    [{ questions: [] }, 'train: questions must have a length of at least 1, got []'],
    [
      { questions: [{ ...aQuestion(1), goldAnswers: [] }] },
      'train: questions.0.goldAnswers must have a length of at least 1, got []',
    ],
    [{ algorithm: 'a2c' }, "train: algorithm must be one of 'grpo', 'dr-grpo', 'dapo',"],
    [{ lossAggregation: 'sum' }, "train: lossAggregation must be one of 'token', 'sequence', 'constant', got 'sum'"],
    [{ epochs: 0 }, 'train: epochs must be at least 1, got 0'],
    [{ minibatchTrajectories: 0 }, 'train: minibatchTrajectories must be at least 1, got 0'],
    [
      { minibatchTrajectories: 11, questionsPerUpdate: 2 },
      'train: minibatchTrajectories must be at most questionsPerUpdate times groupSize, 10, got 11',
    ],
    [{ clipHigh: 1, dualClip: 1.5 }, 'train: dualClip must be more than 1 + clipHigh, 2, got 1.5'],
    [{ minibatchSize: 8 }, 'train: there is no option minibatchSize; did you mean minibatchTrajectories?'],
    [{ adaptiveKl: { target: 0.1, horizon: 100 } }, "train: adaptiveKl must be left out where klIn is 'loss'"],
    [{ critic: { shared: true } }, 'train: there is no option critic'],
    [{ algorithm: 'ppo', critic: { learningrate: 1 } }, 'train: critic: there is no option learningrate; did you mean'],
    [{ algorithm: 'ppo', groupSize: 0 }, 'train: groupSize must be at least 1, got 0'],
    [{ algorithm: 'rloo', groupSize: 1 }, 'train: groupSize must be at least 2, got 1'],
    [{ algorithm: 'reinforce', gamma: 0.9 }, 'train: there is no option gamma'],
    [{ searchEngine: undefined }, 'train: searchEngine must be a search engine, got undefined'],
    [{ learningrate: 1 }, 'train: there is no option learningrate; did you mean learningRate?'],
    [{ saveEvery: { minutes: -1 } }, 'train: saveEvery.minutes must be at least 0, got -1'],
    [{ saveEvery: 5 }, 'train: saveEvery must be { minutes: 0 or more } or { updates: 1 or more }, got 5'],
    [{ saveEvery: { updates: 0.5, minutes: 1 } }, 'train: saveEvery: there is no option'],
    [{ resume: true }, 'train: saveTo must name the folder of the run to resume, got undefined'],
    [{ reward: {} }, 'train: reward must have a weight for at least one part, got {}'],
    [{ reward: { f2: 1 } }, 'train: reward: there is no option f2; did you mean f1?'],
    [{ reward: { f1: NaN } }, 'train: reward.f1 must be a finite number, got NaN'],
    [
      { reward: { length: { maxTokens: 3, buffer: 4 } } },
      'train: reward.length.buffer must be at most maxTokens, got 4',
    ],
    [{ reward: 'f1' }, "train: reward must be an object, got 'f1'"],
    [{ allowChanges: ['speed'] }, 'train: allowChanges.0 must be one of'],
  ])('%o', async (change, message) => {
    const options = {
      algorithm: 'grpo',
      policy,
      searchEngine: { name: 'none', search: () => expect.fail('a search was made') },
      questions: [aQuestion(1)],
      protocol: miniProtocol,
      curriculum: { start: 0, end: 0 },
      updates: 1,
      ...change,
    }
    await expect(train(options as TrainOptions)).rejects.toThrow(message)
  })
})

describe('supervised fine-tuning refuses', () => {
  const example = { ids: [1, 2, 3], tokenWeights: [0, 1, 1] }
  const options = (change: object): SupervisedOptions => ({
    policy,
    steps: 1,
    batch: () => [example],
    learningRate: 1e-3,
    ...change,
  })

  test.each([
    [{ steps: 1.5 }, 'trainSupervised: steps must be an integer, got 1.5'],
    [{ beta1: 1 }, 'trainSupervised: beta1 must be less than 1, got 1'],
    [{ epsilon: 0 }, 'trainSupervised: epsilon must be more than 0, got 0'],
    [{ maxGradNorm: NaN }, 'trainSupervised: maxGradNorm must be a finite number, got NaN'],
    [{ learningRate: NaN }, 'trainSupervised: learningRate must be a finite number of at least 0, or a function'],
    [{ learningRate: () => NaN }, 'trainSupervised, step 0: learningRate must be a finite number, got NaN'],
    [{ batch: () => [] }, 'trainSupervised, step 0: examples must have a length of at least 1, got []'],
    [
      { batch: () => [example, { ids: [1, 2], tokenWeights: [0, 1, 1] }] },
      'trainSupervised, step 0: examples.1.tokenWeights must hold one weight for each id, got [ 0, 1, 1 ]',
    ],
    [{ batch: () => [{ ids: [1, 96], tokenWeights: [0, 1] }] }, 'examples.0.ids.1 must be less than 96, got 96'],
    [{ batch: () => [{ ids: [1, 2], tokenWeights: [0, NaN] }] }, 'examples.0.tokenWeights.1 must be a finite number'],
    [{ batch: () => [{ ids: [1, 2], tokenWeights: [1, 0] }] }, 'trainSupervised: step 0 has no token with a weight'],
    [{ weights: {} }, 'trainSupervised: there is no option weights'],
  ])('%o', async (change, message) => {
    await expect(trainSupervised(options(change))).rejects.toThrow(message)
  })

  it('takes a learning rate as a number or a function of the step', async () => {
    const rates: number[] = []
    const onStep = ({ learningRate }: { learningRate: number }): number => rates.push(learningRate)
    const records = await trainSupervised(options({ learningRate: 0, onStep }))
    expect(records.map(({ step, learningRate }) => [step, learningRate])).toEqual([[0, 0]])
    await trainSupervised(options({ steps: 2, learningRate: (step: number) => step * 0, onStep }))
    expect(rates).toEqual([0, 0, 0])
  })
})
