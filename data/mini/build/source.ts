import type { ExampleSource } from './examples.js'
import { IN_DOMAIN, readFacts, splitNames } from './facts.js'
import { factBase } from './scene.js'
import { relationWords } from './synthetic.js'

/** What training text is made of: in-domain facts of the training split, and relation words of made-up worlds. */
export function trainingSource(): Omit<ExampleSource, 'tokenizer'> {
  const facts = readFacts()
  const outOfDomain = new Set(facts.map((fact) => fact.relation).filter((relation) => !IN_DOMAIN.includes(relation)))
  const base = factBase(
    facts.filter((fact) => fact.split === 'train' && IN_DOMAIN.includes(fact.relation)),
    splitNames(facts.filter((fact) => fact.split !== 'train')),
  )
  return { base, relations: [...relationWords(outOfDomain), ...IN_DOMAIN] }
}
