import { z } from 'zod'
import type { Policy } from '../../policy/policy.js'
import { normalizeAnswer } from '../../reward/normalize-answer.js'
import type { Document } from '../../schema/document.js'
import { aFunction, parseOptions } from '../../schema/parse-options.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import type { Attempt, Ending } from './attempt.js'
import { engineSchema, harmless, positiveInteger } from './model-options.js'
import {
  CONTINUE,
  NO_RETRIEVAL,
  PARAGRAPH,
  REFLECTION_TOKENS,
  reflectionScore,
  RELEVANT,
  relevanceOf,
  retrievalShare,
  RETRIEVE,
  SUPPORTED,
  supportOf,
  UTILITY,
  utilityOf,
} from './reflection.js'
import type { ReflectionWeights } from './reflection.js'
import { checkPolicy, controlIds, TokenWalk, withWalk } from './token-walk.js'
import { best } from './uct.js'

/** Options of `selfRagMethod`. */
export interface SelfRagOptions {
  /** Where passages come from. */
  searchEngine: SearchEngine
  /** Passages. Default 5. */
  topK?: number
  /** Passages are wanted where p(R) / (p(R) + p(NR)) is more than this, in [0, 1]. Default 0.2. */
  threshold?: number
  /** How much each judgement counts. Default: relevance 1, support 1, utility 0.5. */
  weights?: ReflectionWeights
  /** Whether the probability of the text counts too. Default true, as in the paper. */
  sequenceScore?: boolean
  /** `short`: one continuation a passage. `long`: segment by segment, by beam search. Default short. */
  form?: 'short' | 'long'
  /** True sums the scores of passages with the same answer, for sets of few answers. Short form alone; default false. */
  closedSet?: boolean
  /** Texts that the long form follows side by side. Default 2. */
  beamWidth?: number
  /** Segments of the long form. Default 7, as in the example command. */
  maxSegments?: number
  /** Most tokens of a continuation or segment. Default 100, of the long form 300. */
  maxTokens?: number
  /** How the question is asked. Default: Self-RAG's instruction and response. */
  prompt?: (question: string) => string
  /**
   * True plays the algorithm with a model that has no reflection tokens: they are spelled out, and judgements that it does not
   * write count 0. That is not Self-RAG, and is named so. Default false: such a model is refused.
   */
  untrained?: boolean
}

const unit = z.number().min(0).max(1)
const weight = z.number().min(0)
const schema = z.strictObject({
  searchEngine: engineSchema,
  topK: positiveInteger.default(5),
  threshold: unit.default(0.2),
  weights: z
    .strictObject({ relevance: weight, support: weight, utility: weight })
    .default({ relevance: 1, support: 1, utility: 0.5 }),
  sequenceScore: z.boolean().default(true),
  form: z.enum(['short', 'long']).default('short'),
  closedSet: z.boolean().default(false),
  beamWidth: positiveInteger.default(2),
  maxSegments: positiveInteger.default(7),
  maxTokens: positiveInteger.exactOptional(),
  prompt: aFunction<(question: string) => string>().default(
    () => (question: string) => `### Instruction:\n${question}\n\n### Response:\n`,
  ),
  untrained: z.boolean().default(false),
})

/**
 * Self-RAG: a checkpoint that judges by its own tokens whether to retrieve, and each passage's relevance, support and
 * usefulness; their probabilities choose among its continuations. Its name is `self-rag`.
 *
 * It follows Self-RAG (arXiv 2310.11511, sections 3.1 and 3.3, algorithm 1; retrieval_lm/run_short_form.py and
 * run_long_form_static.py), and needs `selfrag/selfrag_llama2_7b` or `_13b` in this process. Departures, most of them where
 * the code departs from the paper: the share of retrieving is one of probabilities (the code divides logarithms, which turns
 * the threshold round); the whole distribution is read, not the five likeliest tokens; utility counts 0.5 in both forms; in
 * the long form utility is read from its own tokens, segment scores are added, each text goes on from itself alone and is
 * scored by its own passage; passages for a later segment are searched with the question and the segment before it (the code
 * has one static list); a segment ends before a token of retrieval; without passages the model answers as if none were
 * wanted. A judgement whose token is not written counts 0. Decoding is greedy.
 * @throws where an option is not what it must be, or the policy has no reflection tokens and `untrained` is not said
 * @example
 * const method = zs.selfRagMethod(policy, { searchEngine: engine, untrained: true })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function selfRagMethod(policy: Policy, options: SelfRagOptions): Method {
  checkPolicy('self-rag method', policy)
  const { maxTokens: given, ...rest } = parseOptions('self-rag method', schema, options)
  const { untrained, form, topK, beamWidth, maxSegments } = rest
  const maxTokens = given ?? (form === 'long' ? 300 : 100)
  const checkpoint = 'a Self-RAG checkpoint such as selfrag/selfrag_llama2_7b'
  const ids = controlIds('self-rag method', policy, REFLECTION_TOKENS, { untrained, checkpoint })
  const texts = form === 'long' ? beamWidth * maxSegments : 1
  // Probabilities of tokens that are spelled out take a text each.
  const turns = texts * (1 + topK + (untrained ? 2 + 2 * topK : 0))
  const budget = { searches: texts, turns, tokens: texts * topK * maxTokens, pages: 0 }
  return {
    name: untrained ? 'self-rag (untrained)' : 'self-rag',
    budget,
    settings: { policy, ...rest, maxTokens },
    answer: (question, context) =>
      attempt(question, context, budget, (running) => {
        const player = new Player(running, policy, ids, { ...rest, maxTokens })
        return form === 'long' ? player.playLong() : player.playShort()
      }),
  }
}

type Checked = Omit<z.output<typeof schema>, 'maxTokens'> & { maxTokens: number }

/** A text and what it is worth. */
interface Continuation {
  /** All ids, from the prompt on, control tokens and passages included. */
  ids: number[]
  /** What this continuation added, as the model wrote it. */
  written: string
  /** The same without control tokens. */
  text: string
  passage: Document | undefined
  score: number
  /** Whether the model ended. */
  ended: boolean
}

class Player {
  private readonly controls: Map<number, string>

  constructor(
    private readonly attempt: Attempt,
    private readonly policy: Policy,
    private readonly ids: Map<string, number[]>,
    private readonly options: Checked,
  ) {
    const single = [...ids].filter(([, [, more]]) => more === undefined)
    this.controls = new Map(single.map(([token, [id]]) => [id!, token]))
  }

  async playShort(): Promise<Ending> {
    const { attempt, options } = this
    const start = this.promptIds()
    const continuations = await this.goOn(start, attempt.question.question)
    const worth = (each: Continuation): number =>
      options.closedSet
        ? continuations.reduce((sum, other) => sum + (key(other) === key(each) ? other.score : 0), 0)
        : each.score
    return this.tell([best(continuations, worth)!])
  }

  async playLong(): Promise<Ending> {
    const { attempt, options } = this
    let beam: Continuation[][] = [[]]
    for (let segment = 0; segment < options.maxSegments; segment++) {
      const grown = await Promise.all(
        beam.map(async (path) => {
          const last = path.at(-1)
          if (last?.ended) return [path]
          const query = [attempt.question.question, ...(last ? [last.text] : [])].join(' ')
          const next = await this.goOn(last?.ids ?? this.promptIds(), query, segment, beam.indexOf(path))
          return next.map((continuation) => [...path, continuation])
        }),
      )
      beam = grown
        .flat()
        .map((path) => ({ path, sum: sumOf(path) }))
        .sort((a, b) => b.sum - a.sum)
        .slice(0, options.beamWidth)
        .map(({ path }) => path)
      if (beam.every((path) => path.at(-1)!.ended)) break
    }
    return this.tell(best(beam, sumOf)!)
  }

  private promptIds(): number[] {
    const { policy, options, attempt } = this
    return policy.tokenizer.encode(options.prompt(harmless(attempt.question.question, policy, REFLECTION_TOKENS)))
  }

  /** One continuation for each passage, or one without, as the model wants it. */
  private async goOn(ids: readonly number[], query: string, ...place: number[]): Promise<Continuation[]> {
    const { searchEngine, topK, threshold } = this.options
    const [retrieve, without] = await this.probabilities(ids, [RETRIEVE, NO_RETRIEVAL])
    if (retrievalShare(retrieve!, without!) > threshold) {
      const passages = await this.attempt.search(searchEngine, query, topK, ...place)
      if (passages.length > 0) return Promise.all(passages.map((passage) => this.write(ids, passage)))
    }
    return [await this.write(ids, undefined)]
  }

  /** A greedy continuation with its judgements. */
  private async write(before: readonly number[], passage: Document | undefined): Promise<Continuation> {
    const { policy, attempt, options } = this
    const start = [...before, ...this.opening(passage)]
    const relevance = passage ? relevanceOf(await this.probabilities(start, RELEVANT)) : 0
    return withWalk(TokenWalk.open(policy, attempt, start), async (walk) => {
      const judged = { support: 0, utility: 0 }
      const written: number[] = []
      const logprobs: number[] = []
      let ended: boolean
      for (;;) {
        const id = walk.greedy()
        const token = this.controls.get(id)
        ended = policy.tokenizer.eosIds.includes(id)
        const isNext = token === RETRIEVE || token === NO_RETRIEVAL || token === CONTINUE
        // A token of retrieval begins the next segment.
        if (ended || (isNext && (written.length > 0 || options.form === 'short'))) break
        const at = (tokens: readonly string[]): number[] =>
          tokens.map((each) => Math.exp(walk.logprobs[this.ids.get(each)![0]!]!))
        if (isOf(token, SUPPORTED) && judged.support === 0) judged.support = supportOf(at(SUPPORTED))
        if (isOf(token, UTILITY) && judged.utility === 0) judged.utility = utilityOf(at(UTILITY))
        written.push(id)
        logprobs.push(walk.logprobs[id]!)
        if (written.length === options.maxTokens || walk.left <= 1) break
        await walk.take(id)
      }
      const mean = logprobs.reduce((sum, each) => sum + each, 0) / logprobs.length
      // A text of no tokens says nothing.
      const sequence = options.sequenceScore && logprobs.length > 0 ? Math.exp(mean) : 0
      const text = withoutControls(policy.tokenizer.decode(written.filter((id) => !this.controls.has(id))))
      return {
        ids: [...start, ...written],
        written: policy.tokenizer.decode(written),
        text,
        passage,
        score: reflectionScore({ sequence, relevance, ...judged }, options.weights),
        ended: ended || text === '',
      }
    })
  }

  /** What is put before a continuation: a passage, or that there is none. */
  private opening(passage: Document | undefined): number[] {
    const { policy } = this
    const [retrieve, without, open, close] = [RETRIEVE, NO_RETRIEVAL, ...PARAGRAPH].map((token) => this.ids.get(token)!)
    if (!passage) return without!
    const { title, text } = passage
    const plain = harmless(title === undefined ? text : `${title}\n${text}`, policy, REFLECTION_TOKENS)
    return [...retrieve!, ...open!, ...policy.tokenizer.encode(plain), ...close!]
  }

  /** Probabilities that each of some tokens comes after `ids`; one that is spelled out has that of all its parts. */
  private async probabilities(ids: readonly number[], tokens: readonly string[]): Promise<number[]> {
    const { policy, attempt } = this
    const spelled = tokens.map((token) => this.ids.get(token)!)
    if (spelled.every((parts) => parts.length === 1)) {
      return withWalk(TokenWalk.open(policy, attempt, ids), (walk) =>
        Promise.resolve(spelled.map(([id]) => Math.exp(walk.logprobs[id!]!))),
      )
    }
    return Promise.all(
      spelled.map((parts) =>
        withWalk(TokenWalk.open(policy, attempt, ids), async (walk) => {
          let logprob = 0
          for (const [i, id] of parts.entries()) {
            logprob += walk.logprobs[id]!
            if (i < parts.length - 1) await walk.take(id)
          }
          return Math.exp(logprob)
        }),
      ),
    )
  }

  private tell(path: readonly Continuation[]): Ending {
    const { attempt } = this
    const answer = path
      .map(({ text }) => text)
      .filter((text) => text !== '')
      .join(' ')
    path.forEach(({ written, passage }, i) => {
      const isLast = i === path.length - 1
      const cause = 'nothing is left without control tokens'
      const last = answer === '' ? { kind: 'invalid' as const, cause } : { kind: 'answer' as const, answer }
      const turn = attempt.say(written, isLast ? last : { kind: 'think' })
      if (passage) turn.observation = { text: `${passage.title ?? ''}\n${passage.text}`, documents: [passage] }
    })
    return answer === '' ? { answer: null, stopReason: 'maxTurns' } : { answer, stopReason: 'answer' }
  }
}

/** Without control tokens that are spelled out. */
const withoutControls = (text: string): string =>
  REFLECTION_TOKENS.reduce((rest, token) => rest.replaceAll(token, ''), text).trim()

const isOf = (token: string | undefined, group: readonly string[]): boolean =>
  token !== undefined && group.includes(token)

const key = ({ text }: Continuation): string => normalizeAnswer(text)

const sumOf = (path: readonly Continuation[]): number => path.reduce((sum, { score }) => sum + score, 0)
