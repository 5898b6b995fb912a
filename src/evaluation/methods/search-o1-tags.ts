// Tags of Search-o1's family of methods (arXiv 2501.05366; scripts/run_rag_agent.py, run_search_o1.py).

export const BEGIN_QUERY = '<|begin_search_query|>'
export const END_QUERY = '<|end_search_query|>'
export const BEGIN_RESULT = '<|begin_search_result|>'
export const END_RESULT = '<|end_search_result|>'
export const BEGIN_URL = '<|begin_url|>'
export const END_URL = '<|end_url|>'
export const BEGIN_PAGE = '<|begin_full_page|>'
export const END_PAGE = '<|end_full_page|>'

export const SEARCH_O1_TAGS: readonly string[] = [
  BEGIN_QUERY,
  END_QUERY,
  BEGIN_RESULT,
  END_RESULT,
  BEGIN_URL,
  END_URL,
  BEGIN_PAGE,
  END_PAGE,
]

/** The content of the last complete pair in a text, trimmed; undefined where there is none. */
export function lastBetween(text: string, open: string, close: string): string | undefined {
  const end = text.lastIndexOf(close)
  const start = end < 0 ? -1 : text.lastIndexOf(open, end)
  return start < 0 ? undefined : text.slice(start + open.length, end).trim()
}

export const result = (text: string): string => `\n\n${BEGIN_RESULT}\n${text}\n${END_RESULT}\n\n`

/** Answers of the method in place of documents. */
export const NOTICES = {
  limit: 'The limit of searches is reached: no further search is allowed. Answer from what you know now.',
  repeated: 'This query was searched before. Look at its results above, or search for something else.',
  empty: 'The query is empty. Write what you want to find between the tags.',
  pageLimit: 'The limit of pages is reached: no further page is fetched. Answer from what you know now.',
  pagesKnown: 'No new page can be read: these were fetched before, or no search has shown their addresses.',
}
