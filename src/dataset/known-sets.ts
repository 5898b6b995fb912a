import { basename, dirname } from 'node:path'
import type { Domain } from '../schema/question.js'

/** One of the seven sets of the paper. */
interface KnownSet {
  name: string
  /** Other names that files and rows give it. */
  aliases: readonly string[]
  domain: Domain
  /** Numbers of questions of its splits; of several where publishers cut it differently. */
  sizes: Readonly<Record<string, readonly number[]>>
}

const IN = 'in-domain'
const OUT = 'out-of-domain'

/** In the order of the paper's tables. Sizes as in FlashRAG's README; what it calls NQ's test is NQ-open's dev. */
const KNOWN_SETS: readonly KnownSet[] = [
  {
    name: 'nq',
    aliases: ['nq_open', 'nq-open', 'natural_questions', 'naturalquestions'],
    domain: IN,
    sizes: { train: [79_168, 87_925], dev: [3610, 8757], test: [3610] },
  },
  { name: 'triviaqa', aliases: ['tq', 'tqa', 'trivia_qa', 'trivia'], domain: OUT, sizes: { test: [11_313] } },
  { name: 'popqa', aliases: ['pop_qa'], domain: OUT, sizes: { test: [14_267] } },
  {
    name: 'hotpotqa',
    aliases: ['hotpot', 'hotpot_qa'],
    domain: IN,
    sizes: { train: [90_447], dev: [7405], validation: [7405] },
  },
  {
    name: '2wikimultihopqa',
    aliases: ['2wiki', '2wikimqa', '2wikimultihop', 'wikimultihop', '2wiki_multihop'],
    domain: OUT,
    sizes: { dev: [12_576], validation: [12_576] },
  },
  { name: 'musique', aliases: ['musique_ans'], domain: OUT, sizes: { dev: [2417], validation: [2417] } },
  { name: 'bamboogle', aliases: [], domain: OUT, sizes: { test: [125] } },
]

/** A set's name under which others know it: `tq`, `searchR1_nq` (verl). Names of other sets stay. */
export function datasetName(given: string): string {
  const name = given.replace(/^searchR1_/, '').toLowerCase()
  return KNOWN_SETS.find((set) => set.name === name || set.aliases.includes(name))?.name ?? given
}

export const knownSet = (name: string): KnownSet | undefined => KNOWN_SETS.find((set) => set.name === name)

/** The set that a path is about: one that its file or its folder is named after, else the file's name. */
export function datasetOfPath(path: string): string {
  const stem = basename(path).replace(/(?<=.)\..*$/, '')
  const parts = [...stem.split(/[_-]/), stem, basename(dirname(path))].map(datasetName)
  return parts.find((part) => knownSet(part) !== undefined) ?? stem
}

/** The split that a file's name says: `dev.jsonl`, `train-00000-of-00001.parquet`, `2wiki_dev.json`. */
export function splitOfPath(path: string): string | undefined {
  return SPLIT.exec(basename(path))?.[1]?.toLowerCase()
}

const SPLIT = /(?:^|[._-])(train|dev|test|validation)(?=[._-]|$)/i

/** The numbers of questions that a set's split may have; none where nobody knows. */
export function expectedSizes(dataset: string, split: string | undefined): readonly number[] {
  const sizes = knownSet(dataset)?.sizes ?? {}
  // Two of the sets have one split, and a file need not name it.
  const only = ['popqa', 'bamboogle'].includes(dataset) ? 'test' : undefined
  return sizes[split ?? only ?? ''] ?? []
}
