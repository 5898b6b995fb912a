import type { PhraseIndex, PhraseRange } from './phrase-index.js'
import type { Window } from './retro-search.js'
import type { TokenWalk } from './token-walk.js'

// How RetroLLM holds a model to what the corpus says (arXiv 2412.11919, sections 3.1 and 3.3). Every token is chosen by the
// model among those that are allowed; there is always one.

/** Ids of the marks that may end a part: one of them is to be written, part by part where it is spelled out. */
export type Marks = readonly (readonly number[])[]

/** Writes one of some marks: of those that are spelled out, token by token. @returns which one */
export async function writeMark(walk: TokenWalk, marks: Marks): Promise<number> {
  let open = [...marks.keys()]
  for (let i = 0; ; i++) {
    const chosen = walk.likeliest(open.map((mark) => marks[mark]![i]!))!
    await walk.take(chosen)
    open = open.filter((mark) => marks[mark]![i] === chosen)
    const done = open.find((mark) => marks[mark]!.length === i + 1)
    if (done !== undefined) return done
  }
}

/** A phrase of the corpus, of `shortest` to `longest` tokens; then a mark. */
export async function writeClue(
  walk: TokenWalk,
  index: PhraseIndex,
  marks: Marks,
  { shortest, longest }: { shortest: number; longest: number },
): Promise<{ ids: number[]; range: PhraseRange; mark: number }> {
  const ids: number[] = []
  let range = index.everywhere
  const ending = new Set(marks.map(([first]) => first!))
  while (ids.length < longest) {
    const { ids: allowed } = index.continuations(range, ids.length)
    // Where the corpus holds nothing more, the clue ends.
    if (allowed.length === 0) break
    const chosen = walk.likeliest(ids.length >= shortest ? [...allowed, ...ending] : allowed)!
    if (ids.length >= shortest && ending.has(chosen)) break
    await walk.take(chosen)
    range = index.follow(range, ids.length, chosen)!
    ids.push(chosen)
  }
  return { ids, range, mark: await writeMark(walk, marks) }
}

/**
 * A passage of one document: it begins in the first fifth of a window, goes on as the document does, may end after more than
 * `shortest` tokens, and must after `longest`, or where the document ends; then a mark.
 */
export async function writeEvidence(
  walk: TokenWalk,
  tokens: Int32Array,
  { start, end }: Pick<Window, 'start' | 'end'>,
  marks: Marks,
  { shortest, longest }: { shortest: number; longest: number },
): Promise<{ ids: number[]; mark: number }> {
  const ids: number[] = []
  const ending = new Set(marks.map(([first]) => first!))
  // Where the next token may stand.
  let places = Array.from({ length: Math.ceil((end - start) / 5) }, (_, i) => start + i)
  while (ids.length < longest && places.length > 0) {
    const allowed = new Set(places.map((place) => tokens[place]!))
    const chosen = walk.likeliest(ids.length > shortest ? [...allowed, ...ending] : allowed)!
    if (ids.length > shortest && ending.has(chosen)) break
    await walk.take(chosen)
    ids.push(chosen)
    places = places.filter((place) => tokens[place] === chosen && place + 1 < tokens.length).map((place) => place + 1)
  }
  return { ids, mark: await writeMark(walk, marks) }
}
