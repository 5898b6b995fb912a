import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import type { Attempt } from './attempt.js'
import { fit, harmless } from './model-options.js'
import type { Pages } from './pages.js'

// DeepResearcher's second model (arXiv 2504.03160, section 3.3): it reads a page part by part and notes facts.

/** How a reader is asked for what one part of a page says. Its reply is to be JSON. */
export type BrowsePrompt = (asked: {
  question: string
  query: string
  facts: readonly string[]
  part: string
}) => string | Message[]

export const browsePrompt: BrowsePrompt = ({ question, query, facts, part }) => [
  {
    role: 'user',
    content:
      'Read this part of a web page, and note what helps with the query, on the way to the question.\n' +
      'Reply with one JSON object: {"extracted_info": "new facts of this part, or nothing", "page_down": "yes" or "no", ' +
      '"short_summary": "what this part is about"}. Say yes if the next part is worth reading.\n\n' +
      `Question: ${question}\nQuery: ${query}\nFacts so far:\n${facts.map((fact) => `- ${fact}`).join('\n') || '- none'}\n\n` +
      `Part of the page:\n${part}`,
  },
]

const reply = z.object({
  extracted_info: z.string().nullish(),
  page_down: z.union([z.string(), z.boolean()]).nullish(),
  short_summary: z.string().nullish(),
})

interface BrowserOptions {
  reader: LanguageModel
  prompt: BrowsePrompt
  sampling: Sampling
  maxTokens: number
  partCharacters: number
  maxParts: number
}

/** Reads pages of one question. It remembers facts by the query that found their page, and tells each once. */
export class Browser {
  private readonly memory = new Map<string, string[]>()
  private readonly told = new Map<string, Set<string>>()

  constructor(
    private readonly attempt: Attempt,
    private readonly pages: Pages,
    private readonly options: BrowserOptions,
  ) {}

  /** Facts of a page that were not told before. */
  async browse(url: string, query: string): Promise<string[]> {
    const { partCharacters, maxParts } = this.options
    const page = (await this.pages.read(url)) ?? ''
    const noted: string[] = []
    for (let from = 0, parts = 0; from < page.length && parts < maxParts; from += partCharacters, parts++) {
      const { fact, goesOn } = await this.read(page.slice(from, from + partCharacters), query)
      if (fact !== '') noted.push(fact)
      if (!goesOn) break
    }
    const told = this.told.get(url) ?? new Set()
    this.told.set(url, told)
    return noted.filter((fact) => !told.has(fact) && told.add(fact))
  }

  private async read(part: string, query: string): Promise<{ fact: string; goesOn: boolean }> {
    const { reader, prompt, sampling, maxTokens } = this.options
    const { attempt } = this
    const facts = this.memory.get(query) ?? []
    const plain = (text: string): string => harmless(text, reader)
    const asked = prompt({
      question: plain(attempt.question.question),
      query: plain(query),
      facts: facts.map(plain),
      part: fit(reader, plain(part), PART_SHARE),
    })
    const { text } = await attempt.complete(reader, asked, { ...sampling, maxTokens }, BROWSE, attempt.spent.turns)
    const said = parseReply(text)
    const fact = said?.extracted_info?.trim() ?? ''
    if (fact !== '' && !facts.includes(fact)) this.memory.set(query, [...facts, fact])
    return { fact, goesOn: said?.page_down === true || String(said?.page_down).toLowerCase() === 'yes' }
  }
}

/** Share of a reader's context that a part may take. */
const PART_SHARE = 0.6
/** Tells draws of this reader from others of a question. */
const BROWSE = 0xb405

/** The JSON object in a text, whatever stands around it; undefined where there is none of this form. */
function parseReply(text: string): z.infer<typeof reply> | undefined {
  try {
    return reply.parse(JSON.parse(text.slice(text.indexOf('{'), text.lastIndexOf('}') + 1)))
  } catch {
    return undefined
  }
}
