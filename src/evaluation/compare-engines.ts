import type { Policy } from '../policy/policy.js'
import type { RolloutOptions } from '../rollout/rollout-options.js'
import type { EngineComparison } from '../schema/engine-comparison.js'
import type { Question } from '../schema/question.js'
import type { SearchEngine } from '../search/search-engine.js'
import { comparePaired } from './compare.js'
import { evaluate } from './evaluate.js'
import type { EvaluateOptions } from './evaluate-options.js'
import { policyMethod } from './methods/policy.js'

/** Options of `compareEngines`; those of a rollout hold for both engines. */
export interface CompareEnginesOptions
  extends
    Omit<RolloutOptions, 'searchEngine' | 'seed' | 'progress' | 'signal'>,
    Pick<EvaluateOptions, 'concurrency' | 'maxFailedShare' | 'progress' | 'signal'> {
  /** The engine that the policy learned with. */
  simulator: SearchEngine
  /** The engine that it shall work with. */
  realEngine: SearchEngine
}

/**
 * From simulator to real engine: plays every question with both, greedily where `sampling` says nothing else, and compares question by
 * question: right with both, with one alone, with none; McNemar's test, and the difference of the exact matches with its
 * interval. A failed rollout counts as wrong.
 * @throws as `evaluate` does
 * @example
 * const transfer = await zs.compareEngines(policy, questions, { simulator, realEngine: engine })
 * await zs.display(transfer)
 * await zs.display(zs.transferTable(transfer))
 * await zs.display(zs.plot.transfer(transfer.simulated, transfer.real))
 */
export async function compareEngines(
  policy: Policy,
  questions: readonly Question[],
  options: CompareEnginesOptions,
): Promise<EngineComparison> {
  const { simulator, realEngine, concurrency, maxFailedShare, progress, signal, ...rest } = options
  const methods = [
    policyMethod(`${policy.name} with the simulator`, policy, { ...rest, searchEngine: simulator }),
    policyMethod(`${policy.name} with the real engine`, policy, { ...rest, searchEngine: realEngine }),
  ]
  const scores = await evaluate({
    ...{ methods, questions },
    ...(concurrency !== undefined && { concurrency }),
    ...(maxFailedShare !== undefined && { maxFailedShare }),
    ...(progress !== undefined && { progress }),
    ...(signal && { signal }),
  })
  const [simulated, real] = methods.map(({ name }) => scores.filter(({ method }) => method === name))
  const { onlyFirst, onlySecond, difference, low, high, pValue } = comparePaired(real!, simulated!)
  const right = real!.filter(({ em }) => em === 1).length
  return {
    questions: questions.length,
    both: right - onlyFirst,
    onlySimulated: onlySecond,
    onlyReal: onlyFirst,
    neither: questions.length - right - onlySecond,
    ...{ difference, low, high, pValue, simulated: simulated!, real: real! },
  }
}
