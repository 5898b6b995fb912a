// Scripted trajectories of the policy: what supervised fine-tuning imitates.
import { pick } from '../../../src/schema/seeded-random.js'
import type { Random } from '../../../src/schema/seeded-random.js'
import type { Behaviour, Mixture } from './behaviours.js'
import { carrier, queryFor, sentence } from './language.js'
import type { Fact } from './language.js'
import { information } from './prompts.js'
import { search } from './scene.js'
import type { Scene } from './scene.js'

export interface Segment {
  text: string
  /** True for what the policy itself writes. */
  policy: boolean
}

export interface PolicyTextOptions {
  mixture: Mixture
  /** Probability that a search is answered with noise, drawn anew for each. */
  noise: number
  /** Documents per search. */
  documents: number
}

/** Searches of one fact before a right policy says that it found nothing. */
const TRIES = 3

export function policySegments(random: Random, scene: Scene, options: PolicyTextOptions): Segment[] {
  const behaviour = draw(random, options.mixture)
  const segments: Segment[] = []
  let pending = ''
  const think = (thought: string): void => void (pending += `<think> ${thought}</think>`)
  const answer = (value: string): Segment[] => {
    segments.push({ text: `${pending}<answer> ${value}</answer>`, policy: true })
    return segments
  }
  const ask = (entity: string, relation: string): { facts: Fact[]; found: Fact | undefined } => {
    segments.push({ text: `${pending}<search> ${queryFor(entity, relation)}</search>`, policy: true })
    pending = ''
    const result = search(random, scene, entity, relation, { ...options, noisy: random() < options.noise })
    segments.push({ text: information(result.facts.map((fact) => sentence(random, fact))), policy: false })
    return result
  }
  const first = scene.chain[0]!
  const last = scene.chain[scene.chain.length - 1]!
  const near = (): Fact => scene.distractor(random, first.entity, first.relation)
  if (behaviour === 'noSearch' || (behaviour === 'oneTooFew' && scene.chain.length === 1)) {
    think('I know this.')
    return answer(near().value)
  }
  think('I need to search.')
  for (const fact of scene.chain) {
    const asked = behaviour === 'anotherQuery' ? { ...near(), entity: fact.entity } : fact
    for (let tries = 1; ; tries++) {
      const { facts, found } = ask(asked.entity, asked.relation)
      if (behaviour === 'earlyAnswer') {
        think('I take the first document.')
        return answer(facts[0]!.value)
      }
      if (behaviour === 'anotherDocument' && fact === last) {
        const other = pick(random, facts.filter((f) => f !== found).concat(found && facts.length === 1 ? [found] : []))
        think(carrier(other))
        return answer(other.value)
      }
      if (found) break
      if (behaviour === 'givesUp' || behaviour === 'anotherQuery') {
        think('I guess.')
        return answer(pick(random, facts).value)
      }
      if (tries === TRIES) {
        think('I found nothing.')
        return answer('unknown')
      }
      think('The documents do not help.')
    }
    think(carrier(fact))
    if (behaviour === 'oneTooFew' && fact === scene.chain[scene.chain.length - 2]) return answer(fact.value)
    if (behaviour === 'oneTooMany' && fact === last) {
      ask(fact.entity, fact.relation)
      think(carrier(fact))
    }
  }
  return answer(last.value)
}

function draw(random: Random, mixture: Mixture): Behaviour {
  let left = random()
  for (const [behaviour, share] of mixture) {
    left -= share
    if (left < 0) return behaviour
  }
  return mixture[0]![0]
}
