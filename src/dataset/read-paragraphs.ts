import { z } from 'zod'
import { parseOptions } from '../schema/parse-options.js'
import type { CorpusDocument } from './read-documents.js'
import { readSourced } from './sourced-questions.js'

/** Documents to search, and which of them the answers rest on. */
export interface ParagraphCorpus {
  /** Each paragraph once, in the order in which they first appear. */
  documents: CorpusDocument[]
  /** Ids of the gold documents of each question, by the question's id. */
  gold: Record<string, string[]>
}

/** Options of `readParagraphs`. */
export interface ReadParagraphsOptions {
  /** Name of the set; begins the ids. Default: as for `readQuestions`. */
  dataset?: string
  /** As for `readQuestions`, where rows hold no question. Default `throw`. */
  faults?: 'throw' | 'skip'
}

const optionsSchema = z.strictObject({
  paths: z.array(z.string().min(1)).min(1),
  dataset: z.string().min(1).exactOptional(),
  faults: z.enum(['throw', 'skip']).default('throw'),
})

/**
 * The paragraphs that questions come with (HotpotQA's distractor setting, 2WikiMultiHopQA, MuSiQue, IRCoT's files) as one
 * corpus to search, and the gold documents of each question under the ids that `readQuestions` gives. Paragraphs with the same
 * title and text, case and white space aside, are one document. White space is collapsed.
 * @throws where no question has paragraphs, and as `readQuestions` does
 * @example
 * const { documents, gold } = await zs.readParagraphs('hotpot_dev_distractor_v1.json')
 * const searchEngine = await zs.createBm25Engine(documents)
 * console.log(gold[question.id])
 */
export async function readParagraphs(
  path: string | readonly string[],
  options: ReadParagraphsOptions = {},
): Promise<ParagraphCorpus> {
  const given = { ...options, paths: typeof path === 'string' ? [path] : path }
  const { paths, ...settings } = parseOptions('read paragraphs', optionsSchema, given)
  const ids = new Map<string, string>()
  const documents: CorpusDocument[] = []
  const gold: [string, string[]][] = []
  for (const each of paths) {
    for await (const { question, raw } of readSourced({ ...settings, path: each, onReport: () => undefined }, false)) {
      const found = new Set<string>()
      for (const paragraph of raw.paragraphs?.() ?? []) {
        const title = collapse(paragraph.title)
        const text = collapse(paragraph.text)
        if (text === '') continue
        const key = `${title}\n${text}`.toLowerCase()
        let id = ids.get(key)
        if (id === undefined) {
          id = `${question.dataset}-${documents.length}`
          ids.set(key, id)
          documents.push({ id, title, text })
        }
        if (paragraph.isGold) found.add(id)
      }
      gold.push([question.id, [...found]])
    }
  }
  if (documents.length === 0) {
    throw new Error(
      `read paragraphs: no question of ${paths.join(', ')} has paragraphs; take a file of the distractor setting`,
    )
  }
  return { documents, gold: Object.fromEntries(gold) }
}

/** A zero-width mark within a text is no white space. */
const collapse = (text: string): string => text.replace(/[^\S\uFEFF]+/g, ' ').trim()
