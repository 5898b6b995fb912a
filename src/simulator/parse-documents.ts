import type { Document } from '../schema/document.js'

/** "Doc 1:", with the marks that LLMs put around it: "**Document 1:**", "- Doc 1 -", "[Doc 1]". */
const HEAD =
  /(?:^|\s|(?<=[.!?"”]))(?:[-*#]{1,6}\s+)?[-*#[(]*doc(?:ument)?\s*#?\d+(?:\s*\([^()\n]*\))?[\])*]*\s*(?:[:.](?!\d)|[–—-](?=\s))[\])*]*/giu

/**
 * Documents of an LLM's text, in its order: each begins with "Doc i:" and reaches to the next one. What stands before
 * the first, in a thought, or after the closing tag is dropped, as is a document without letters or digits.
 */
export function parseDocuments(text: string): Document[] {
  const body = text.replace(/<think>[^]*?<\/think>/g, ' ').split('</information>')[0]!
  return body
    .split(HEAD)
    .slice(1)
    .map((part) => part.replace(/\s+/g, ' ').trim())
    .filter((part) => /[\p{L}\p{N}]/u.test(part))
    .map((part, i) => ({ text: part, rank: i + 1 }))
}
