// Scripted trajectories of the policy: what supervised fine-tuning imitates.
import { pick } from '../../../src/random/seeded-random.js'
import type { Random } from '../../../src/random/seeded-random.js'
import type { Odds } from './behaviours.js'
import { carrier, queryFor, sentence } from './language.js'
import type { Fact } from './language.js'
import { information } from '../../../src/mini/prompts.js'
import { search } from './scene.js'
import type { Scene } from './scene.js'

export interface Segment {
  text: string
  /** True for what the policy itself writes. */
  policy: boolean
}

export interface PolicyTextOptions {
  odds: Odds
  /** Probability that a search is answered with noise, drawn anew for each. */
  noise: number
  /** Documents per search. */
  documents: number
}

/** Searches for one fact before a policy says that it found nothing. */
const TRIES = 4

export function policySegments(random: Random, scene: Scene, { odds, noise, documents }: PolicyTextOptions): Segment[] {
  const segments: Segment[] = []
  let pending = ''
  const decide = (odd: number): boolean => random() < odd
  const think = (thought: string): void => void (pending += `<think> ${thought}</think>`)
  const answer = (value: string): Segment[] => {
    segments.push({ text: `${pending}<answer> ${value}</answer>`, policy: true })
    return segments
  }
  const ask = (entity: string, relation: string): { facts: Fact[]; found: Fact | undefined } => {
    segments.push({ text: `${pending}<search> ${queryFor(entity, relation)}</search>`, policy: true })
    pending = ''
    const result = search(random, scene, entity, relation, { documents, noisy: random() < noise })
    segments.push({ text: information(result.facts.map((fact) => sentence(random, fact))), policy: false })
    return result
  }
  const first = scene.chain[0]!
  const last = scene.chain[scene.chain.length - 1]!
  const near = (): Fact => scene.distractor(random, first.entity, first.relation)
  if (!decide(odds.search)) {
    think('I know this.')
    return answer(near().value)
  }
  think('I need to search.')
  for (const fact of scene.chain) {
    for (let tries = 1; ; tries++) {
      const { facts, found } = ask(fact.entity, decide(odds.query) ? fact.relation : near().relation)
      if (found) {
        if (decide(odds.read)) break
        const other = pick(random, facts.length === 1 ? facts : facts.filter((document) => document !== found))
        think(carrier(other))
        return answer(other.value)
      }
      if (!decide(odds.again)) {
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
    if (fact !== last && !decide(odds.next)) return answer(fact.value)
    if (fact === last && !decide(odds.stop)) {
      ask(fact.entity, fact.relation)
      think(carrier(fact))
    }
  }
  return answer(last.value)
}
