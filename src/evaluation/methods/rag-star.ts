import { z } from 'zod'
import type { Completion, LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import { normalizeAnswer } from '../../reward/normalize-answer.js'
import { extractAnswer } from '../../reward/extract-answer.js'
import type { Document } from '../../schema/document.js'
import { anObject, parseOptions } from '../../schema/parse-options.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Method } from '../method.js'
import { attempt } from './attempt.js'
import type { Attempt, Ending } from './attempt.js'
import { checkModel, engineSchema, fit, harmless, modelSchema, positiveInteger } from './model-options.js'
import { ragStarPrompts } from './rag-star-prompts.js'
import type { RagStarPrompts } from './rag-star-prompts.js'
import { lastBetween } from './search-o1-tags.js'
import { withStop } from './transcript.js'
import { best, uct } from './uct.js'

/** Options of `ragStarMethod`. */
export interface RagStarOptions {
  /** Where documents for verification come from. */
  searchEngine: SearchEngine
  /** Judges answers against documents, and sub-queries. Default: the model itself (the paper: GPT-4o-mini, or a tuned Llama-8B). */
  verifier?: LanguageModel
  /** Documents per sub-query. Default 5. */
  topK?: number
  /** Expansions of the tree. Default 50. */
  maxSimulations?: number
  /** Sub-queries that are sampled at a leaf. Default 3. */
  branches?: number
  /** Longest path below the question. Default 6. */
  maxDepth?: number
  /** Weight of what was seldom tried. Default 0.2. */
  weight?: number
  /** Most tokens of one text. Default 256; the paper does not say. */
  maxTokens?: number
  /** How the model is asked. Default: prompts of ours. */
  prompts?: RagStarPrompts
}

const schema = z.strictObject({
  searchEngine: engineSchema,
  verifier: modelSchema.exactOptional(),
  topK: positiveInteger.default(5),
  maxSimulations: positiveInteger.default(50),
  branches: positiveInteger.default(3),
  maxDepth: positiveInteger.default(6),
  weight: z.number().min(0).default(0.2),
  maxTokens: positiveInteger.default(256),
  prompts: anObject<RagStarPrompts>('prompts', ['plan', 'answer', 'refine', 'compare', 'judge', 'summarize']).default(
    ragStarPrompts,
  ),
})

/** A step on the way to the answer. The question is the root. */
interface Node {
  parent: Node | undefined
  children: Node[]
  depth: number
  query: string
  answer: string
  /** What the model wrote: the sub-query, then its answer. */
  text: string
  documents: Document[]
  /** Whether its answer is one to the question. */
  isFinal: boolean
  /** Whether it was expanded, with or without children. */
  isExpanded: boolean
  visits: number
  /** Mean reward of what was tried here and below. */
  value: number
}

/** Counts a reward at a node and all above it: V ← (V·N + r)/(N + 1), N ← N + 1. */
export function backpropagate(
  from: Pick<Node, 'visits' | 'value'> & { parent: Node | undefined },
  reward: number,
): void {
  for (let node: typeof from | undefined = from; node; node = node.parent) {
    node.value = (node.value * node.visits + reward) / (node.visits + 1)
    node.visits++
  }
}

const CREATIVE: Sampling = { temperature: 1, topP: 1, topK: 0 }
const ANSWERING: Sampling = { temperature: 0.9, topP: 1, topK: 0 }
const STRICT: Sampling = { temperature: 0, topP: 1, topK: 0 }

/**
 * RAG-Star: a tree search over sub-queries that the model answers from what it knows; documents verify each answer and
 * replace it where they contradict it. Its name is `rag-star`.
 *
 * It follows RAG-Star (arXiv 2412.12881, section 3, equations 2 to 6; no code was published): selection by UCT, three
 * sub-queries at temperature 1, answers at 0.9, r = r_a · r_q with r_a = 1 (not verifiable), 2 (conflict: the answer is written
 * anew from the documents), 3 (aligned) and r_q = 0 or 1, no rollout, backpropagation up to the root. What the paper leaves open
 * is decided here: where the model writes an `<answer>` in place of a sub-query, the node is final, its query is the question,
 * and it is verified as all others; nodes at the greatest depth are not expanded; children that were never tried come first;
 * of equal sub-queries of a node one is kept; a reply of the verifier that cannot be read is r_a = 1 or r_q = 0; a leaf whose
 * sub-queries cannot be read is not expanded again; the search ends when nothing is left to expand. The answer is that of the
 * final node of the highest value, the first of equals, else a summary of the best path. All wording is ours.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.ragStarMethod(model, { searchEngine: engine, maxSimulations: 4, maxDepth: 3 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function ragStarMethod(model: LanguageModel, options: RagStarOptions): Method {
  checkModel('rag-star method', model)
  const checked = parseOptions('rag-star method', schema, options)
  const { maxSimulations, branches, maxTokens } = checked
  const nodes = maxSimulations * branches
  // A child takes at most a plan, an answer, two judgements and a refined answer; the end one summary.
  const turns = nodes * 5 + 1
  const budget = { searches: nodes, turns, tokens: turns * maxTokens, pages: 0 }
  return {
    name: 'rag-star',
    budget,
    settings: { model, ...checked },
    answer: (question, context) =>
      attempt(question, context, budget, (running) => new Tree(running, model, checked).search()),
  }
}

class Tree {
  private readonly root: Node
  private readonly finals: Node[] = []

  constructor(
    private readonly attempt: Attempt,
    private readonly model: LanguageModel,
    private readonly options: z.output<typeof schema>,
  ) {
    this.root = newNode(undefined, { query: harmless(attempt.question.question, model) })
  }

  async search(): Promise<Ending> {
    const { maxSimulations } = this.options
    for (let simulation = 0; simulation < maxSimulations; simulation++) {
      const leaf = this.select()
      if (!leaf) break
      await this.expand(leaf, simulation)
    }
    return this.conclude()
  }

  /** The leaf that UCT leads to, by branches that can still grow. */
  private select(): Node | undefined {
    let node = this.root
    while (node.isExpanded) {
      const { visits } = node
      const open = node.children.filter((child) => this.canGrow(child))
      const next = best(open, (child) => uct(child.value, child.visits, visits, this.options.weight))
      if (!next) return undefined
      node = next
    }
    return node
  }

  private canGrow(node: Node): boolean {
    if (node.isFinal || node.depth >= this.options.maxDepth) return false
    return !node.isExpanded || node.children.some((child) => this.canGrow(child))
  }

  /** Children are made side by side, and counted in their order, whoever is faster. */
  private async expand(leaf: Node, simulation: number): Promise<void> {
    const { branches } = this.options
    const places = Array.from({ length: branches }, (_, branch) => branch)
    const plans = await Promise.all(places.map((branch) => this.plan(leaf, simulation, branch)))
    const isNew = (plan: Plan, i: number): boolean => plans.findIndex((other) => other?.key === plan.key) === i
    const kept = plans.flatMap((plan, i) => (plan && isNew(plan, i) ? [plan] : []))
    const children = await Promise.all(kept.map((plan, i) => this.grow(leaf, plan, simulation, i)))
    leaf.isExpanded = true
    for (const { node, reward } of children) {
      leaf.children.push(node)
      if (node.isFinal) this.finals.push(node)
      backpropagate(node, reward)
    }
  }

  /** A sub-query, or an answer to the question; undefined where there is neither. */
  private async plan(leaf: Node, ...place: number[]): Promise<Plan | undefined> {
    const prompt = this.options.prompts.plan(this.root.query, stepsTo(leaf))
    const { text } = await this.ask(this.model, prompt, CREATIVE, ['</query>', '</answer>'], PLAN, ...place)
    const answer = extractAnswer([text])
    if (answer !== null && answer !== '')
      return { text, query: this.root.query, answer, key: `answer ${normalizeAnswer(answer)}` }
    const query = lastBetween(text, '<query>', '</query>')
    return query === undefined || query === '' ? undefined : { text, query, key: `query ${normalizeAnswer(query)}` }
  }

  /** Answers a sub-query without documents, and verifies the answer with them. */
  private async grow(leaf: Node, plan: Plan, ...place: number[]): Promise<{ node: Node; reward: number }> {
    const { prompts, searchEngine, topK, verifier = this.model } = this.options
    const { query } = plan
    const path = stepsTo(leaf)
    let { text, answer } = { answer: '', ...plan }
    if (plan.answer === undefined) {
      const written = await this.ask(
        this.model,
        prompts.answer(this.root.query, path, query),
        ANSWERING,
        [],
        ANSWER,
        ...place,
      )
      answer = written.text.trim()
      text += `\n${written.text}`
    }
    const documents = await this.attempt.search(searchEngine, query, topK, ...place)
    const shown = documents.map(({ title, text }, i) => `Doc ${i + 1}: ${title ? `(${title}) ` : ''}${text}`).join('\n')
    const shownTo = (reader: LanguageModel): string => fit(reader, harmless(shown, reader), DOCUMENTS_SHARE)
    const judging = [
      this.ask(verifier, prompts.compare(query, answer, shownTo(verifier)), STRICT, [], COMPARE, ...place),
      this.ask(verifier, prompts.judge(this.root.query, path, query), STRICT, [], JUDGE, ...place),
    ]
    const [compared, judged] = (await Promise.all(judging)) as [Completion, Completion]
    const answerReward = Number(/\b[123]\b/.exec(compared.text)?.[0] ?? 1)
    const queryReward = Number(/\b[01]\b/.exec(judged.text)?.[0] ?? 0)
    if (answerReward === CONFLICT) {
      const refined = await this.ask(
        this.model,
        prompts.refine(query, shownTo(this.model)),
        STRICT,
        [],
        REFINE,
        ...place,
      )
      answer = refined.text.trim()
      text += `\n${refined.text}`
    }
    const node = newNode(leaf, { query, answer, text, documents, isFinal: plan.answer !== undefined })
    return { node, reward: answerReward * queryReward }
  }

  private async conclude(): Promise<Ending> {
    const chosen = best(this.finals, (node) => node.value)
    if (chosen) {
      this.tell(chosen, chosen.answer)
      return { answer: chosen.answer, stopReason: 'answer' }
    }
    let leaf = this.root
    while (leaf.children.length > 0) leaf = best(leaf.children, (child) => child.value)!
    this.tell(leaf)
    const prompt = this.options.prompts.summarize(this.root.query, stepsTo(leaf))
    const { text } = await this.ask(this.model, prompt, STRICT, ['</answer>'], SUMMARIZE)
    const answer = extractAnswer([text])
    const cause = 'there is no complete <answer>'
    this.attempt.say(text, answer === null ? { kind: 'invalid', cause } : { kind: 'answer', answer })
    return { answer, stopReason: answer === null ? 'maxTurns' : 'answer' }
  }

  /** The path to a node as turns; the tree beside it is not shown. */
  private tell(node: Node, answer?: string): void {
    for (const { text, query, documents } of pathTo(node)) {
      const shown = documents.map((document) => `${document.title ?? ''}\n${document.text}`).join('\n')
      this.attempt.say(text, { kind: 'search', query }).observation = { text: shown, documents }
    }
    if (answer !== undefined) this.attempt.say(`<answer>${answer}</answer>`, { kind: 'answer', answer })
  }

  private async ask(
    model: LanguageModel,
    prompt: Parameters<LanguageModel['complete']>[0],
    sampling: Sampling,
    stop: string[],
    ...place: number[]
  ): Promise<Completion> {
    const { maxTokens } = this.options
    const asked = typeof prompt === 'string' ? prompt : [...prompt]
    const completion = await this.attempt.complete(model, asked, { ...sampling, maxTokens, stop }, ...place)
    return stop.length === 0 ? completion : { ...completion, text: withStop(completion, stop) }
  }
}

/** A sub-query, or an answer to the question. */
interface Plan {
  text: string
  query: string
  answer?: string
  /** Equal for what says the same. */
  key: string
}

const CONFLICT = 2
/** Share of a model's context that documents may take. */
const DOCUMENTS_SHARE = 0.5

// Tell draws of one question apart.
const [PLAN, ANSWER, COMPARE, JUDGE, REFINE, SUMMARIZE] = [1, 2, 3, 4, 5, 6] as const

const newNode = (parent: Node | undefined, rest: Partial<Node> & { query: string }): Node => ({
  parent,
  children: [],
  depth: parent ? parent.depth + 1 : 0,
  answer: '',
  text: '',
  documents: [],
  isFinal: false,
  isExpanded: false,
  visits: 0,
  value: 0,
  ...rest,
})

/** The nodes from below the root to this one. */
const pathTo = (node: Node): Node[] => (node.parent ? [...pathTo(node.parent), node] : [])

const stepsTo = (node: Node): { query: string; answer: string }[] =>
  pathTo(node).map(({ query, answer }) => ({ query, answer }))
