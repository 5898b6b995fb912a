import { z } from 'zod'
import type { Policy } from '../../policy/policy.js'
import type { Document } from '../../schema/document.js'
import { aFunction, anObject, parseOptions } from '../../schema/parse-options.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Message } from '../../tokenizer/tokenizer.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import type { Attempt, Ending } from './attempt.js'
import { engineSchema, harmless, positiveInteger } from './model-options.js'
import { wordSetF1 } from './pages.js'
import type { PhraseIndex, PhraseRange } from './phrase-index.js'
import { writeClue, writeEvidence, writeMark } from './retro-decode.js'
import { CLUE, END_CLUE, END_EVIDENCE, EVIDENCE, MARKS, NEXT } from './retro-marks.js'
import { fuseRanks, numbersOf, rankByClues, windowsOf } from './retro-search.js'
import type { Window } from './retro-search.js'
import { checkPolicy, controlIds, TokenWalk, withWalk } from './token-walk.js'

/** Options of `retroLlmMethod`. */
export interface RetroLlmOptions {
  /** The corpus, in the policy's tokens. */
  index: PhraseIndex
  /** Ranks documents of the same corpus for the question, beside the clues (the paper: SPLADE-v3). */
  searchEngine: SearchEngine
  /** How well each passage fits the question (the paper: a BGE reranker). Default: F1 of their sets of words. */
  rerank?: (question: string, passages: readonly string[]) => readonly number[] | Promise<readonly number[]>
  /** Clues. Default 3, as the code (the paper says 5). */
  maxClues?: number
  /** Documents that are looked into. Default 25; upstream has 50 for questions of several hops. */
  maxDocuments?: number
  /** Passages. Default 5; upstream has 10 for questions of several hops. */
  maxEvidences?: number
  /** Tokens of the whole text, at least 200. Default 1200. */
  maxTokens?: number
  /** How the question is asked. Default: a prompt of ours. */
  prompt?: (question: string) => string | Message[]
  /**
   * True plays the algorithm with a model that has no tokens for clues and evidence: they are spelled out. That is not
   * RetroLLM, and is named so. Default false: such a model is refused.
   */
  untrained?: boolean
}

const schema = z.strictObject({
  index: anObject<PhraseIndex>('an index that buildPhraseIndex has made', ['follow', 'continuations', 'frequencies']),
  searchEngine: engineSchema,
  rerank: aFunction<NonNullable<RetroLlmOptions['rerank']>>().default(
    () => (question: string, passages: readonly string[]) => passages.map((passage) => wordSetF1(question, passage)),
  ),
  maxClues: positiveInteger.default(3),
  maxDocuments: positiveInteger.default(25),
  maxEvidences: positiveInteger.default(5),
  maxTokens: z.int().min(200, 'must be at least 200; for clues, evidence and an answer').default(1200),
  prompt: aFunction<NonNullable<RetroLlmOptions['prompt']>>().default(() => retroPrompt),
  untrained: z.boolean().default(false),
})

const retroPrompt = (question: string): Message[] => [
  {
    role: 'user',
    content:
      'Answer the question. First write clues to look for, then evidence out of documents, then the answer.\n' +
      `Question: ${question}`,
  },
]

const ANSWER = ' The answer is'

const CLUE_TOKENS = { shortest: 2, longest: 7 }
const EVIDENCE_TOKENS = { shortest: 64, longest: 160 }
/** Documents that clues alone find. */
const CLUE_DOCUMENTS = 5
/** Words of the question that windows are looked for by, beside clues (the paper: SPLADE's expansion). */
const QUESTION_WORDS = 8
/** Tokens of a window on either side of what it was found by, and at most. */
const [AROUND, LONGEST_WINDOW] = [32, 128] as const

/**
 * RetroLLM: retrieval by decoding. The model writes clues that the corpus holds, then evidence that documents hold, word by
 * word, then the answer, all in one text. Its name is `retrollm`.
 *
 * It follows RetroLLM (arXiv 2412.11919, sections 3.1 to 3.4; scripts/generate.py), and needs its fine-tuned model, with five
 * tokens of its own, in this process. Clues of two to seven tokens, held to the corpus; documents by clue weights, fused with a
 * second ranking as 1/r₁ + 2/r₂; windows of 32 tokens around clues and words of the question, 128 at most; evidence of 65 to
 * 160 tokens, which begins in the first fifth of its window; decoding is greedy. Departures: a suffix array in place of the FM
 * index, which allows the same tokens; windows are hard limits in their order, as in the code, without the paper's λ; the
 * second ranking, the question's eight rarest words and the word overlap stand for SPLADE and the reranker, unless given; of
 * equal fused ranks the one that the clues found goes first. Defects of the code that this has not: where nothing is allowed any
 * more, a part ends (and not the whole vocabulary is allowed); "The answer is" is forced as a whole; documents are kept apart,
 * so that no clue goes from one into the next; both indexes have the same case. A free answer ends at the end of its line.
 * @throws where an option is not what it must be, or the policy lacks the tokens and `untrained` is not said
 * @example
 * const index = await zs.buildPhraseIndex(policy.tokenizer, await zs.readDocuments('wiki18.jsonl'))
 * const method = zs.retroLlmMethod(policy, { index, searchEngine: engine, untrained: true })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function retroLlmMethod(policy: Policy, options: RetroLlmOptions): Method {
  checkPolicy('retrollm method', policy)
  const checked = parseOptions('retrollm method', schema, options)
  const { untrained, maxTokens } = checked
  const ids = controlIds('retrollm method', policy, MARKS, { untrained, checkpoint: 'a model tuned by RetroLLM' })
  const budget = { searches: 1, turns: 1, tokens: maxTokens, pages: 0 }
  return {
    name: untrained ? 'retrollm (untrained)' : 'retrollm',
    budget,
    settings: { policy, ...checked },
    answer: (question, context) =>
      attempt(question, context, budget, (running) => new Writer(running, policy, ids, checked).play()),
  }
}

interface Clue {
  ids: number[]
  range: PhraseRange
}

class Writer {
  constructor(
    private readonly attempt: Attempt,
    private readonly policy: Policy,
    private readonly marks: Map<string, number[]>,
    private readonly options: z.output<typeof schema>,
  ) {}

  play(): Promise<Ending> {
    const { attempt, policy, options } = this
    const { tokenizer } = policy
    const asked = options.prompt(harmless(attempt.question.question, policy, MARKS))
    const prompt = tokenizer.encode(typeof asked === 'string' ? asked : tokenizer.renderPrompt(asked))
    return withWalk(TokenWalk.open(policy, attempt, prompt), async (walk) => {
      const clues = await this.writeClues(walk)
      const turn = attempt.say(this.written(walk, prompt.length), {
        kind: 'search',
        query: clues.map(({ ids }) => tokenizer.decode(ids).trim()).join('; '),
      })
      const windows = await this.find(clues)
      turn.observation = this.observed(windows)
      const start = walk.ids.length
      await this.writeEvidences(walk, windows)
      attempt.say(this.written(walk, start), { kind: 'think' })
      return this.writeAnswer(walk)
    })
  }

  private async writeClues(walk: TokenWalk): Promise<Clue[]> {
    const { index, maxClues } = this.options
    await this.force(walk, this.mark(CLUE))
    const clues: Clue[] = []
    for (let goesOn = true; goesOn;) {
      const isLast = clues.length + 1 >= maxClues || this.left(walk) < 2 * CLUE_TOKENS.longest
      const marks = isLast ? [this.mark(END_CLUE)] : [this.mark(END_CLUE), this.mark(NEXT)]
      const { mark, ...clue } = await writeClue(walk, index, marks, CLUE_TOKENS)
      clues.push(clue)
      goesOn = mark === 1
    }
    return clues
  }

  /** The parts of documents that evidence is to come from, the best first. */
  private async find(clues: readonly Clue[]): Promise<Window[]> {
    const { attempt, options } = this
    const { index, searchEngine, maxDocuments, maxEvidences, rerank } = options
    const { question } = attempt.question
    const found = numbersOf(index, await attempt.search(searchEngine, question, maxDocuments))
    const documents = fuseRanks(
      rankByClues(
        index,
        clues.map(({ range }) => range),
        CLUE_DOCUMENTS,
      ),
      found,
      maxDocuments,
    )
    const phrases = [...clues.map(({ ids }) => ids), ...this.rareWords()]
    const windows = documents.flatMap((document) =>
      windowsOf(document, index.tokensOf(document), phrases, AROUND, LONGEST_WINDOW),
    )
    const texts = windows.map((window) => this.textOf(window))
    const scores = await attempt.guard('search', () => rerank(question, texts))
    const order = [...windows.keys()].sort((a, b) => (scores[b] ?? 0) - (scores[a] ?? 0) || a - b)
    return order.slice(0, maxEvidences).map((i) => windows[i]!)
  }

  /** The words of the question that fewest places of the corpus hold, as phrases; those that none holds are of no use. */
  private rareWords(): number[][] {
    const { index } = this.options
    const words = new Set(this.attempt.question.question.match(/[\p{L}\p{N}]+/gu) ?? [])
    const phrases = [...words].flatMap((word) => {
      const ids = this.policy.tokenizer.encode(` ${word}`).slice(0, CLUE_TOKENS.longest)
      let range: PhraseRange | undefined = index.everywhere
      for (const [i, id] of ids.entries()) range &&= index.follow(range, i, id)
      return range && ids.length > 0 ? [{ ids, count: range.high - range.low }] : []
    })
    phrases.sort((a, b) => a.count - b.count)
    return phrases.slice(0, QUESTION_WORDS).map(({ ids }) => ids)
  }

  private async writeEvidences(walk: TokenWalk, windows: readonly Window[]): Promise<void> {
    const { index } = this.options
    await this.force(walk, this.mark(EVIDENCE))
    if (windows.length === 0) return this.force(walk, this.mark(END_EVIDENCE))
    for (const [i, window] of windows.entries()) {
      // Room for the next one too, and for the answer.
      const isLast = i === windows.length - 1 || this.left(walk) < 2 * EVIDENCE_TOKENS.longest + ANSWER_ROOM
      const marks = isLast ? [this.mark(END_EVIDENCE)] : [this.mark(END_EVIDENCE), this.mark(NEXT)]
      const longest = Math.max(1, Math.min(EVIDENCE_TOKENS.longest, this.left(walk) - ANSWER_ROOM))
      const limits = { ...EVIDENCE_TOKENS, longest }
      const { mark } = await writeEvidence(walk, index.tokensOf(window.document), window, marks, limits)
      if (mark === 0) return
    }
  }

  private async writeAnswer(walk: TokenWalk): Promise<Ending> {
    const { policy, attempt } = this
    const { tokenizer } = policy
    await this.force(walk, tokenizer.encode(ANSWER))
    const ids: number[] = []
    let ended = false
    while (this.left(walk) > 1) {
      const id = walk.greedy()
      ended = tokenizer.eosIds.includes(id) || /\S\s*\n/.test(tokenizer.decode([...ids, id]))
      if (ended) break
      ids.push(id)
      await walk.take(id)
    }
    const text = tokenizer.decode(ids)
    const answer = text
      .replace(/^[\s:]+/, '')
      .trimEnd()
      .replace(/\.$/, '')
    const cause = 'nothing follows "The answer is"'
    attempt.say(ANSWER + text, answer === '' ? { kind: 'invalid', cause } : { kind: 'answer', answer })
    return answer === ''
      ? { answer: null, stopReason: ended ? 'maxTurns' : 'maxTokens' }
      : { answer, stopReason: 'answer' }
  }

  private mark(name: string): number[] {
    return this.marks.get(name)!
  }

  private async force(walk: TokenWalk, ids: readonly number[]): Promise<void> {
    await writeMark(walk, [ids])
  }

  /** Tokens that the text may still have. */
  private left(walk: TokenWalk): number {
    return Math.min(walk.left, this.options.maxTokens - this.attempt.spent.tokens)
  }

  private written(walk: TokenWalk, from: number): string {
    return this.policy.tokenizer.decode(walk.ids.slice(from))
  }

  private textOf({ document, start, end }: Window): string {
    return this.policy.tokenizer.decode([...this.options.index.tokensOf(document).subarray(start, end)])
  }

  private observed(windows: readonly Window[]): { text: string; documents: Document[] } {
    const documents = windows.map((window, i): Document => {
      const { title } = this.options.index.documents[window.document]!
      return { ...(title !== undefined && { title }), text: this.textOf(window), rank: i + 1 }
    })
    return { text: documents.map(({ text }) => text).join('\n'), documents }
  }
}

/** Tokens that are left for marks and the answer. */
const ANSWER_ROOM = 80
