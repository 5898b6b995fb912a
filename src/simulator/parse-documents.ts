import type { Document } from '../schema/document.js'

/** "Doc 1:", with the marks that LLMs put around it: "**Document 1:**", "- Doc 1 -", "[Doc 1]"; in Chinese "Doc 1：". */
const HEAD =
  /(?:^|\s|(?<=[.!?"”。！？]))(?:[-*#]{1,6}\s+)?[-*#[(]*doc(?:ument)?\s*#?\d+(?:\s*\([^()\n]*\))?[\])*]*\s*(?:[:.：](?!\d)|[–—-](?=\s))[\])*]*/giu

/** The number that begins a line of a list: "1. …", "2) …", "- **3:** …", "[4] …". */
const NUMBER = /^[ \t]{0,8}(?:[-*#]{1,6}[ \t]{1,4})?[*_[(]{0,4}(\d{1,3})[*_]{0,2}[.):\]、：．][*_]{0,2}(?!\d)/gmu

/**
 * Documents of an LLM's text, in its order: each begins with "Doc i:" and reaches to the next one. Where there is no
 * such beginning, a list that is numbered from 1 is read instead. Dropped are: text before the first document, thoughts, text
 * after the closing tag, and documents without letters or digits.
 * @example
 * zs.parseDocuments('Doc 1: Lima is the capital of Peru. Doc 2: Cusco lies higher.') // two documents
 */
export function parseDocuments(text: string): Document[] {
  const body = withoutThoughts(text).split('</information>')[0]!
  const marked = body.split(HEAD).slice(1)
  return (marked.length > 0 ? marked : listItems(body))
    .map((part) => part.replace(/\s+/g, ' ').trim())
    .filter((part) => /[\p{L}\p{N}]/u.test(part))
    .map((part, i) => ({ text: part, rank: i + 1 }))
}

/** A thought may have been opened by the prompt, or not be closed for want of tokens. */
function withoutThoughts(text: string): string {
  const parts = text.split('</think>')
  const beforeThought = (part: string): string => part.split('<think>', 1)[0]!
  return parts
    .map((part, i) => (i === 0 && parts.length > 1 && !part.includes('<think>') ? '' : beforeThought(part)))
    .join(' ')
}

/** Items of a numbered list. A line with a number that is not the next one belongs to the item before. */
function listItems(text: string): string[] {
  const heads: { start: number; end: number }[] = []
  for (const { 0: head, 1: number, index = 0 } of text.matchAll(NUMBER)) {
    if (Number(number) === heads.length + 1) heads.push({ start: index, end: index + head.length })
  }
  return heads.map(({ end }, i) => text.slice(end, heads[i + 1]?.start))
}
