import { z } from 'zod'
import { openRecords } from '../file/read-records.js'
import { parseOptions } from '../schema/parse-options.js'
import { idOf, isRow } from './fields.js'

/**
 * Reads judgements of which documents are relevant: rows of `query-id`, `corpus-id` and `score`, as BEIR's. Those with a
 * score of 0 or less are left out.
 * @param dataset Name of the set, which `readQuestions` puts before its ids. Default: none goes before them.
 * @returns ids of the relevant documents of each question, by the question's id
 * @throws where there is no such file, or a row lacks one of the columns
 * @example
 * const gold = await zs.readQrels('qrels.dev.tsv', 'hotpotqa')
 */
export async function readQrels(path: string, dataset?: string): Promise<Record<string, string[]>> {
  const schema = z.strictObject({ path: z.string().min(1), dataset: z.string().min(1).optional() })
  parseOptions('read relevance judgements', schema, { path, dataset })
  const { records } = await openRecords(path, 'relevance judgements')
  const gold = new Map<string, string[]>()
  for await (const { place, value, fault } of records) {
    const row = isRow(value) ? value : {}
    const query = idOf(row['query-id'])
    const document = idOf(row['corpus-id'])
    if (
      fault !== undefined ||
      query === undefined ||
      document === undefined ||
      !Number.isFinite(Number(row['score']))
    ) {
      const rule = fault ?? `must have query-id, corpus-id and score; the columns are ${Object.keys(row).join(', ')}`
      throw new Error(`read relevance judgements ${path}, ${place}: ${rule}`)
    }
    if (Number(row['score']) <= 0) continue
    const id = dataset === undefined ? query : `${dataset}-${query}`
    gold.set(id, [...(gold.get(id) ?? []), document])
  }
  return Object.fromEntries(gold)
}
