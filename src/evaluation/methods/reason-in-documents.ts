import type { LanguageModel } from '../../language-model/language-model.js'
import type { Policy, Sampling } from '../../policy/policy.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import type { Attempt } from './attempt.js'
import { fit, harmless } from './model-options.js'
import { BEGIN_QUERY, BEGIN_RESULT, SEARCH_O1_TAGS } from './search-o1-tags.js'

// Search-o1's second module (arXiv 2501.05366, section 3.3): documents are read in a call of their own.

/** What is given to the policy where the reader found nothing. */
export const NO_HELP = 'No helpful information found.'

/** How a reader is asked to look for what a query wants in documents. */
export type ReaderPrompt = (reasoning: string, query: string, documents: string) => string | Message[]

export const readerPrompt: ReaderPrompt = (reasoning, query, documents) => [
  {
    role: 'user',
    content:
      'Read the web pages below, and find what helps the reasoning below to go on, as its search query asks for. Write it so ' +
      'that it can be inserted into the reasoning.\n' +
      `If the pages help, end with the heading **Final Information** on a line of its own, and below it what they say.\n` +
      `If they do not, write below that heading: ${NO_HELP}\n\n` +
      `Reasoning so far:\n${reasoning}\n\nSearch query: ${query}\n\nWeb pages:\n${documents}`,
  },
]

/**
 * The reasoning as the reader is given it, a step a line: the first, those with queries or results, and the last three; `...`
 * stands for what is left out. Four steps or fewer stay whole.
 */
export function shortenReasoning(text: string): string[] {
  const steps = text.split('\n').filter((line) => line.trim() !== '')
  if (steps.length <= 4) return steps
  const kept = (step: string, i: number): boolean =>
    i === 0 || i >= steps.length - 3 || step.includes(BEGIN_QUERY) || step.includes(BEGIN_RESULT)
  const shortened: string[] = []
  steps.forEach((step, i) => {
    if (kept(step, i)) shortened.push(step)
    else if (shortened.at(-1) !== '...') shortened.push('...')
  })
  return shortened
}

/** What stands under the last heading **Final Information**, on one line; `NO_HELP` where there is no such heading. */
export function finalInformation(text: string): string {
  const [, last] = /^[^]*(?:^|\n)[^\S\n]*\*\*Final Information\*\*:?([^]*)$/.exec(text) ?? []
  const line = (last ?? '').replace(/\s+/g, ' ').trim()
  return line === '' ? NO_HELP : line
}

/** Asks the reader. Its text is somebody else's as soon as it has read pages: it is made harmless for the policy. */
export async function reasonInDocuments(
  attempt: Attempt,
  {
    reader,
    policy,
    prompt,
    sampling,
    maxTokens,
  }: {
    reader: LanguageModel
    policy: LanguageModel | Policy
    prompt: ReaderPrompt
    sampling: Sampling
    maxTokens: number
  },
  { reasoning, query, pages }: { reasoning: string; query: string; pages: readonly string[] },
): Promise<string> {
  const shortened = fit(reader, harmless(shortenReasoning(reasoning).join('\n\n'), reader), REASONING_SHARE)
  const shown = pages.map((page) => fit(reader, harmless(page, reader), PAGES_SHARE / pages.length))
  const asked = prompt(shortened, harmless(query, reader), shown.join('\n'))
  const { text } = await attempt.complete(reader, asked, { ...sampling, maxTokens }, READER, attempt.spent.turns)
  return harmless(finalInformation(text), policy, SEARCH_O1_TAGS)
}

/** Shares of a reader's context. */
const REASONING_SHARE = 0.2
const PAGES_SHARE = 0.5

/** Tells draws of the reader from those of the policy. */
const READER = 0x4ead
