import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { readJsonl } from '../file/jsonl.js'
import type { Question } from '../schema/question.js'
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

export type MiniDataset = (typeof MINI_DATASETS)[number]
export type Split = 'train' | 'validation' | 'test'

const file = (name: string): string => fileURLToPath(new URL(`../../data/mini/${name}`, import.meta.url))

/** Questions of a mini set. Only the in-domain sets have a training split. */
export function miniQuestions(dataset: MiniDataset, split: Split): Promise<Question[]> {
  return readQuestions(
    file(`${dataset}-${split}.jsonl`),
    dataset,
    IN_DOMAIN.includes(dataset) ? 'in-domain' : 'out-of-domain',
  )
}

/** The documents that the real engine searches for questions of a split. */
export function miniDocuments(split: Split): Promise<{ id: string; title: string; text: string }[]> {
  return readJsonl(file(`documents-${split}.jsonl`), z.object({ id: z.string(), title: z.string(), text: z.string() }))
}

/** Folder of a shipped checkpoint. */
export function miniCheckpoint(name: 'policy' | 'simulator' | 'ceiling'): string {
  return file(`checkpoints/${name}`)
}
