import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import type { Question } from '../schema/question.js'
import { readDocuments } from '../dataset/read-documents.js'
import type { CorpusDocument } from '../dataset/read-documents.js'
import { readQuestions } from '../dataset/read-questions.js'

/** The mini world's sets, named after the benchmark that each mirrors in kind. */
export const MINI_DATASETS = [
  'mini-nq',
  'mini-hotpotqa',
  'mini-triviaqa',
  'mini-popqa',
  'mini-2wikimultihopqa',
  'mini-musique',
  'mini-bamboogle',
] as const

/** Training draws its questions from these, as the paper's does from NQ and HotpotQA. */
const IN_DOMAIN: readonly string[] = ['mini-nq', 'mini-hotpotqa']

/** Short names for figures. */
export const MINI_LABELS: Record<string, string> = Object.fromEntries(
  MINI_DATASETS.map((name) => [name, name.replace('mini-', '').replace('wikimultihopqa', 'wiki')]),
)

/** Name of a mini set. */
export type MiniDataset = (typeof MINI_DATASETS)[number]
/** Part of the mini world. No entity of `validation` or `test` occurs in a training question. */
export type Split = 'train' | 'validation' | 'test'

const splitSchema = z.enum(['train', 'validation', 'test'])

const file = (name: string): string => fileURLToPath(new URL(`../../data/mini/${name}`, import.meta.url))

/**
 * Questions of a mini set. Only the in-domain sets have a training split.
 * @throws where the set has no such split
 * @example
 * const questions = await zs.mini.questions('mini-nq', 'train')
 */
export async function miniQuestions(dataset: MiniDataset, split: Split): Promise<Question[]> {
  parseOptions('mini questions', z.object({ dataset: z.enum(MINI_DATASETS), split: splitSchema }), { dataset, split })
  return readQuestions(file(`${dataset}-${split}.jsonl`), {
    dataset,
    domain: IN_DOMAIN.includes(dataset) ? 'in-domain' : 'out-of-domain',
    split,
  })
}

/**
 * The documents that the real engine searches for questions of a split.
 * @example
 * const engine = await zs.createBm25Engine(await zs.mini.documents('test'))
 */
export async function miniDocuments(split: Split): Promise<CorpusDocument[]> {
  parseOptions('mini documents', z.object({ split: splitSchema }), { split })
  return readDocuments(file(`documents-${split}.jsonl`))
}

/**
 * Folder of a shipped checkpoint: the policy before training, the simulator, or the ceiling, a policy that was trained on
 * perfect trajectories.
 * @example
 * const policy = await zs.loadModel(zs.mini.checkpoint('policy'))
 */
export function miniCheckpoint(name: 'policy' | 'simulator' | 'ceiling'): string {
  parseOptions('mini checkpoint', z.object({ name: z.enum(['policy', 'simulator', 'ceiling']) }), { name })
  return file(`checkpoints/${name}`)
}
