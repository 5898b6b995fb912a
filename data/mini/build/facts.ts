// Real facts and their split into training, validation and test: writes ../facts.jsonl. Run: npm run mini:facts
import { execFileSync } from 'node:child_process'
import { createRequire } from 'node:module'
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { fromCSV } from 'arquero'
import { countries, languages } from 'countries-list'
import { uniform } from '../../../src/random/seeded-random.js'
import type { Fact } from './language.js'

export type Split = 'train' | 'validation' | 'test'
export interface SplitFact extends Fact {
  split: Split
}

/** Relations that training sees. The others are for the out-of-domain sets. */
export const IN_DOMAIN = ['city', 'country', 'region', 'capital', 'airport', 'symbol']

const AIRPORTS = 'airportsdata==20260905'
const CACHE = fileURLToPath(new URL('../../../.cache/airports/', import.meta.url))

interface Airport {
  icao: string
  iata: string
  city: string
  subd: string
  country: string
  elevation: string
}

interface Element {
  name: string
  symbol: string
  number: number
}

/** Short plain names only: the models are tiny, and their tokenizer knows plain letters best. */
const plain = (name: string | null | undefined): name is string =>
  typeof name === 'string' &&
  /^[A-Za-z][A-Za-z -]*$/.test(name) &&
  name.length <= 18 &&
  name.split(' ').length <= 3 &&
  !name.endsWith('-')

function airports(): Airport[] {
  mkdirSync(CACHE, { recursive: true })
  execFileSync('python3', ['-m', 'pip', 'download', '-q', '--no-deps', '-d', CACHE, AIRPORTS], { stdio: 'ignore' })
  execFileSync('unzip', ['-qo', `${CACHE}airportsdata-${AIRPORTS.split('==')[1]}-py3-none-any.whl`, '-d', CACHE])
  const text = readFileSync(`${CACHE}airportsdata/airports.csv`, 'utf8')
  return (fromCSV(text, { autoType: false }).objects() as Airport[]).filter((airport) => airport.iata)
}

function elements(): Element[] {
  const require = createRequire(import.meta.url)
  return (require('periodic-table-data-complete/pTable.json') as Record<string, unknown>[]).map((element) => ({
    name: String(element['name'] ?? element['Name']),
    symbol: String(element['symbol'] ?? element['Symbol']),
    number: Number(element['number'] ?? element['atomicNumber'] ?? element['atomic_number']),
  }))
}

/** The large training country keeps its place; the others, and the elements, fall by a hash of their name. */
function splitOf(name: string): Split {
  if (name === 'United States') return 'train'
  const place = uniform(20261123, ...[...name].map((letter) => letter.codePointAt(0)!))
  return place < 0.62 ? 'train' : place < 0.78 ? 'validation' : 'test'
}

function worldFacts(): SplitFact[] {
  const facts: SplitFact[] = []
  const rows = airports()
  const byCity = group(rows, (row) => row.city)
  const byCode = countries as Record<string, (typeof countries)['PE']>
  for (const [code, country] of Object.entries(byCode)) {
    if (!plain(country.name)) continue
    const add = (relation: string, entity: string, value: string): void => {
      if (entity !== value) facts.push({ relation, entity, value, split: splitOf(country.name) })
    }
    if (plain(country.capital)) add('capital', country.name, country.capital)
    if (country.currency[0]) add('currency', country.name, country.currency[0])
    if (country.phone[0]) add('calling code', country.name, String(country.phone[0]))
    const language = country.languages[0] && (languages as Record<string, { name: string }>)[country.languages[0]]?.name
    if (plain(language)) add('language', country.name, language)
    for (const row of rows.filter((airport) => airport.country === code && plain(airport.city))) {
      const airport = `airport ${row.iata}`
      const airports = byCity.get(row.city)!
      // A city's name must mean one city.
      if (airports.some((other) => other.country !== code || other.subd !== row.subd)) continue
      add('city', airport, row.city)
      add('icao code', airport, row.icao)
      if (Number(row.elevation) > 0) add('elevation', airport, row.elevation)
      if (airports[0] !== row) continue
      add('country', row.city, country.name)
      if (plain(row.subd)) add('region', row.city, row.subd)
      if (airports.length === 1) add('airport', row.city, airport)
    }
  }
  for (const element of elements()) {
    if (!plain(element.name)) continue
    const split = splitOf(element.name)
    facts.push({ relation: 'symbol', entity: element.name, value: `element ${element.symbol}`, split })
    facts.push({ relation: 'atomic number', entity: element.name, value: String(element.number), split })
  }
  return facts
}

/** Facts whose names belong to one split alone (values of out-of-domain relations may be shared: codes, languages). */
function disjoint(facts: SplitFact[]): SplitFact[] {
  const inDomain = new Set(IN_DOMAIN)
  const splits = new Map<string, Set<Split>>()
  for (const { entity, value, relation, split } of facts) {
    for (const name of inDomain.has(relation) ? [entity, value] : [entity]) {
      splits.set(name, (splits.get(name) ?? new Set()).add(split))
    }
  }
  const inOneSplit = (name: string): boolean => (splits.get(name)?.size ?? 0) <= 1
  const disjointFacts = facts.filter(
    ({ entity, value, relation }) => inOneSplit(entity) && (!inDomain.has(relation) || inOneSplit(value)),
  )
  const unique = new Map(disjointFacts.map((fact) => [`${fact.entity}|${fact.relation}`, fact]))
  return [...unique.values()]
}

function group<T>(items: readonly T[], key: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>()
  for (const item of items) groups.set(key(item), [...(groups.get(key(item)) ?? []), item])
  return groups
}

/** What of these facts belongs to their split alone: all entities, and the values of in-domain relations. */
export function splitNames(facts: readonly SplitFact[]): Set<string> {
  return new Set(
    facts.flatMap(({ entity, relation, value }) => (IN_DOMAIN.includes(relation) ? [entity, value] : [entity])),
  )
}

const FILE = fileURLToPath(new URL('../facts.jsonl', import.meta.url))

/** The committed facts. */
export function readFacts(): SplitFact[] {
  return readFileSync(FILE, 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as SplitFact)
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const facts = disjoint(worldFacts())
  writeFileSync(FILE, facts.map((fact) => JSON.stringify(fact)).join('\n') + '\n')
  for (const [relation, ofRelation] of group(facts, (fact) => fact.relation)) {
    const count = (split: Split): number => ofRelation.filter((fact) => fact.split === split).length
    console.log(
      relation,
      count('train'),
      count('validation'),
      count('test'),
      'values',
      new Set(ofRelation.map((f) => f.value)).size,
    )
  }
}
