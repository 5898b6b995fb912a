// What one training question is about, and the scripted search engine that its training text is made with.
import { pick, shuffle } from '../../../src/random/seeded-random.js'
import type { Random } from '../../../src/random/seeded-random.js'
import type { Fact } from './language.js'
import { syntheticWorld } from './synthetic.js'

export interface Scene {
  /** The facts that answer the question, first hop first. */
  chain: Fact[]
  /** A fact that has nothing to do with the answer, near to an entity and a relation. */
  distractor(random: Random, entity: string, relation: string): Fact
}

/** What a search for one fact finds besides it: other facts of its entity, facts whose value the entity is, … */
const SAME_ENTITY = 0.5
const AS_VALUE = 0.15

/** Real facts of the training split, indexed. */
export interface FactBase {
  facts: Fact[]
  byEntity: Map<string, Fact[]>
  byValue: Map<string, Fact[]>
  byRelation: Map<string, Fact[]>
  /** By the last word of the entity. */
  byLastWord: Map<string, Fact[]>
  names: string[]
  relations: string[]
  /** Names of the other splits, which made-up worlds must not use. */
  reserved: ReadonlySet<string>
}

export function factBase(facts: Fact[], reserved: ReadonlySet<string> = new Set()): FactBase {
  const byEntity = groupBy(facts, (fact) => fact.entity)
  const byValue = groupBy(facts, (fact) => fact.value)
  const byRelation = groupBy(facts, (fact) => fact.relation)
  const byLastWord = groupBy(facts, (fact) => lastWord(fact.entity))
  const names = [...new Set(facts.flatMap((fact) => [fact.entity, fact.value]))]
  return { facts, byEntity, byValue, byRelation, byLastWord, names, relations: [...byRelation.keys()], reserved }
}

const lastWord = (name: string): string => name.slice(name.lastIndexOf(' ') + 1)

function groupBy(facts: Fact[], key: (fact: Fact) => string): Map<string, Fact[]> {
  const groups = new Map<string, Fact[]>()
  for (const fact of facts) {
    const group = groups.get(key(fact))
    if (group) group.push(fact)
    else groups.set(key(fact), [fact])
  }
  return groups
}

export function syntheticScene(
  random: Random,
  hops: number,
  relations: readonly string[],
  { names, reserved }: Pick<FactBase, 'names' | 'reserved'>,
): Scene {
  const world = syntheticWorld(random, hops, relations, names, reserved)
  const answers = new Set(world.chain.map((fact) => `${fact.entity}|${fact.relation}`))
  return {
    chain: world.chain,
    distractor(draw, entity, relation) {
      for (;;) {
        const kind = draw()
        const name = pick(draw, world.names)
        const fact =
          kind < SAME_ENTITY
            ? { entity, relation: pick(draw, world.relations), value: name }
            : kind < SAME_ENTITY + AS_VALUE
              ? { entity: name, relation: pick(draw, world.relations), value: entity }
              : { entity: name, relation, value: pick(draw, world.names) }
        if (fact.entity !== fact.value && !answers.has(`${fact.entity}|${fact.relation}`)) return fact
      }
    },
  }
}

/** A chain of `hops` real facts, drawn evenly over chains of relations. */
export function realScene(random: Random, hops: number, base: FactBase): Scene {
  for (;;) {
    const chain = [pick(random, base.byRelation.get(pick(random, base.relations))!)]
    while (chain.length < hops) {
      const next = base.byEntity.get(chain[chain.length - 1]!.value)
      if (!next) break
      chain.push(pick(random, next))
    }
    if (chain.length === hops)
      return { chain, distractor: (draw, entity, relation) => realDistractor(draw, base, chain, entity, relation) }
  }
}

export function realDistractor(
  random: Random,
  base: FactBase,
  chain: readonly Fact[],
  entity: string,
  relation: string,
): Fact {
  const same = base.byEntity.get(entity)?.filter((fact) => fact.relation !== relation && !isIn(chain, fact)) ?? []
  const reverse = base.byValue.get(entity)?.filter((fact) => !isIn(chain, fact)) ?? []
  const kind = random()
  if (same.length > 0 && kind < SAME_ENTITY) return pick(random, same)
  if (reverse.length > 0 && kind >= SAME_ENTITY && kind < SAME_ENTITY + AS_VALUE) return pick(random, reverse)
  if (entity.includes(' ') && random() < 0.5) {
    const cousins = base.byLastWord.get(lastWord(entity)) ?? []
    const others = cousins.filter((fact) => fact.entity !== entity && fact.relation === relation && !isIn(chain, fact))
    if (others.length > 0) return pick(random, others)
  }
  const alike = base.byRelation.get(relation) ?? base.facts
  for (;;) {
    const fact = pick(random, alike)
    if (fact.entity !== entity && !isIn(chain, fact)) return fact
  }
}

const isIn = (chain: readonly Fact[], fact: Fact): boolean =>
  chain.some((link) => link.entity === fact.entity && link.relation === fact.relation)

/** The scripted engine: the wanted fact among distractors, or distractors alone. */
export function search(
  random: Random,
  scene: Scene,
  entity: string,
  relation: string,
  options: { noisy: boolean; documents: number },
): { facts: Fact[]; found: Fact | undefined } {
  const found = options.noisy
    ? undefined
    : scene.chain.find((fact) => fact.entity === entity && fact.relation === relation)
  // An engine does not show a document twice; a small world may have no other.
  const others = new Map<string, Fact>()
  const wanted = options.documents - (found ? 1 : 0)
  for (let draws = 0; others.size < wanted; draws++) {
    const fact = scene.distractor(random, entity, relation)
    others.set(`${fact.entity}|${fact.relation}|${draws < 20 ? '' : draws}`, fact)
  }
  return { facts: shuffle(random, found ? [found, ...others.values()] : [...others.values()]), found }
}
