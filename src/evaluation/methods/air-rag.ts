import { z } from 'zod'
import type { LanguageModel } from '../../language-model/language-model.js'
import type { Sampling } from '../../policy/policy.js'
import { extractAnswer } from '../../reward/extract-answer.js'
import { normalizeAnswer } from '../../reward/normalize-answer.js'
import type { Document } from '../../schema/document.js'
import { anObject, parseOptions } from '../../schema/parse-options.js'
import type { Action } from '../../schema/trajectory.js'
import type { SearchEngine } from '../../search/search-engine.js'
import type { Method } from '../method.js'
import { airRagPrompts } from './air-rag-prompts.js'
import type { AirRagPrompts, AirRagState } from './air-rag-prompts.js'
import { attempt } from './attempt.js'
import type { Attempt, Ending } from './attempt.js'
import { checkModel, engineSchema, fit, harmless, positiveInteger, samplingSchema } from './model-options.js'
import { withStop } from './transcript.js'
import { best, uct } from './uct.js'

/** Options of `airRagMethod`. */
export interface AirRagOptions {
  /** Where documents come from. */
  searchEngine: SearchEngine
  /** Documents per query. Default 5. */
  topK?: number
  /** Paths that are played to their end. Default 1, as in the main table; the paper's ablation has 32. */
  rollouts?: number
  /** Answers that are sampled at the end of a path. Default 1; the paper also has 3. */
  samples?: number
  /** True leaves out analysis and answers from memory (the paper's Lite). Default false. */
  lite?: boolean
  /** Steps of a path between its first and its last. Default 8. */
  maxSteps?: number
  /** Queries that one step may search. Default 3. */
  maxQueries?: number
  /** Weight of what was seldom tried. Default √2; the paper does not give it. */
  weight?: number
  /** Most tokens of one text. Default 256; the paper does not say. */
  maxTokens?: number
  /** How the model is asked. Default: prompts of ours. */
  prompts?: AirRagPrompts
  /** How tokens are drawn. Default: temperature 0.7, top-p 0.8, top-k 50. */
  sampling?: Sampling
}

const schema = z.strictObject({
  searchEngine: engineSchema,
  topK: positiveInteger.default(5),
  rollouts: positiveInteger.default(1),
  samples: positiveInteger.default(1),
  lite: z.boolean().default(false),
  maxSteps: positiveInteger.default(8),
  maxQueries: positiveInteger.default(3),
  weight: z.number().min(0).default(Math.SQRT2),
  maxTokens: positiveInteger.default(256),
  prompts: anObject<AirRagPrompts>('prompts', [
    'say',
    'answerDirectly',
    'answerFrom',
    'transform',
    'summarize',
  ]).default(airRagPrompts),
  sampling: samplingSchema.default({ temperature: 0.7, topP: 0.8, topK: 50 }),
})

/** The paper's actions: analysis, answer from memory, answer from documents, new queries, answer from all of it. */
type Step = 'SAY' | 'DA' | 'RA' | 'QT' | 'SA'

interface Node {
  step: Step | undefined
  parent: Node | undefined
  children: Node[]
  /** Steps that were not tried here yet; undefined before the node is looked at. */
  untried: Step[]
  depth: number
  state: AirRagState
  /** Queries that are to be searched next. */
  queries: string[]
  text: string
  documents: Document[]
  answer: string | undefined
  visits: number
  /** Sum of rewards of the paths through here. */
  total: number
}

/** For each answer, how much of its words all answers share on average: |A ∩ B| / |A ∪ B|, itself included. */
export function jaccardConsistency(answers: readonly string[]): number[] {
  const sets = answers.map((answer) => new Set(normalizeAnswer(answer).split(' ')))
  return sets.map((a) => {
    const shares = sets.map((b) => {
      const shared = [...a].filter((word) => b.has(word)).length
      return shared / (a.size + b.size - shared)
    })
    return shares.reduce((sum, share) => sum + share, 0) / sets.length
  })
}

/** The answer that is most like all others, and how much; the first of equals. */
function mostConsistent(answers: readonly string[]): { answer: string; score: number } | undefined {
  const scores = jaccardConsistency(answers)
  const chosen = best([...answers.keys()], (i) => scores[i]!)
  return chosen === undefined ? undefined : { answer: answers[chosen]!, score: scores[chosen]! }
}

const DIVERSE: Sampling = { temperature: 1, topP: 1, topK: 0 }

/**
 * AirRAG: a tree search over five ways to go on: analyse the question (SAY), answer from memory (DA), search and answer (RA),
 * transform the query (QT), summarise and answer (SA). Its name is `air-rag`, that of its Lite form `air-rag-lite`.
 *
 * It follows AirRAG (arXiv 2501.10053, sections 3.2 and 3.3; no code was published): the root is analysed and answered side by
 * side; then RA and QT alternate, until there is no new query or eight steps are done; SA ends a path. Selection is by
 * Q/N + w·√(ln N_parent/N), children that were never visited first; the reward of a leaf is added along its path: 1 for one
 * sampled answer, the consistency of the chosen one for several. What the paper leaves open is decided here: w = √2; the answer
 * is the one whose words all candidates share most (Jaccard), the first of equals; only SA gives candidates, an answer from
 * memory is a thought that it reads; several samples are taken at SA alone; a reply that cannot be read drops the child, a
 * path that ends so has reward 0; of siblings that say the same one is kept; SAY and QT are sampled at temperature 1 where
 * there are several rollouts. The paper's reward for a correct answer needs gold answers: never here. All wording is ours.
 * @throws where an option is not what it must be
 * @example
 * const method = zs.airRagMethod(model, { searchEngine: engine, rollouts: 4, samples: 3 })
 * const scores = await zs.evaluate({ methods: [method], questions })
 */
export function airRagMethod(model: LanguageModel, options: AirRagOptions): Method {
  checkModel('air-rag method', model)
  const checked = parseOptions('air-rag method', schema, options)
  const { rollouts, samples, maxSteps, maxQueries, maxTokens, lite } = checked
  // A search for the question itself that gave nothing is no step of the path that goes on beside it.
  const searches = rollouts * (Math.ceil(maxSteps / 2) * maxQueries + 1)
  const turns = 2 + searches + rollouts * (Math.ceil(maxSteps / 2) + samples)
  const budget = { searches, turns, tokens: turns * maxTokens, pages: 0 }
  return {
    name: lite ? 'air-rag-lite' : 'air-rag',
    budget,
    settings: { model, ...checked },
    answer: (question, context) =>
      attempt(question, context, budget, (running) => new Tree(running, model, checked).search()),
  }
}

class Tree {
  private readonly root: Node
  private readonly answered: Node[] = []
  /** Nodes so far: each draws by its own number. */
  private made = 0

  constructor(
    private readonly attempt: Attempt,
    private readonly model: LanguageModel,
    private readonly options: z.output<typeof schema>,
  ) {
    const question = harmless(attempt.question.question, model)
    const state = { question, analysis: '', notes: [] }
    this.root = { ...newNode(undefined, undefined, state), queries: [question] }
    this.root.untried = this.stepsAfter(this.root)
  }

  async search(): Promise<Ending> {
    if (!this.options.lite) {
      // Both are played at once, and come in their order.
      const first = this.root.untried.splice(0)
      for (const child of await Promise.all(first.map((step) => this.play(this.root, step)))) this.add(this.root, child)
    }
    let last = this.root
    for (let rollout = 0; rollout < this.options.rollouts; rollout++) last = await this.rollOut()
    const chosen = mostConsistent(this.answered.map((node) => node.answer!))
    const leaf = chosen ? this.answered.find((node) => node.answer === chosen.answer)! : last
    this.tell(leaf)
    return chosen ? { answer: chosen.answer, stopReason: 'answer' } : { answer: null, stopReason: 'maxTurns' }
  }

  /** Goes down to the end of a path, and counts its reward. */
  private async rollOut(): Promise<Node> {
    let node = this.root
    while (node.step !== 'SA') {
      const next = (await this.grow(node)) ?? this.select(node)
      if (!next) break
      node = next
    }
    const reward = node.step === 'SA' ? this.reward(node) : 0
    for (let above: Node | undefined = node; above; above = above.parent) {
      above.total += reward
      above.visits++
    }
    return node
  }

  /** The first child that can be made of what was not tried here. */
  private async grow(node: Node): Promise<Node | undefined> {
    while (node.untried.length > 0) {
      const child = this.add(node, await this.play(node, node.untried.shift()!))
      if (child) return child
    }
    return undefined
  }

  private select(node: Node): Node | undefined {
    const { weight } = this.options
    return best(node.children, ({ total, visits }) => uct(total / visits, visits, node.visits, weight))
  }

  private add(parent: Node, child: Node | undefined): Node | undefined {
    if (!child) return undefined
    const same = parent.children.some((other) => sameState(other, child))
    if (same) return undefined
    child.untried = this.stepsAfter(child)
    parent.children.push(child)
    if (child.answer !== undefined) this.answered.push(child)
    return child
  }

  private stepsAfter({ step, depth, queries }: Node): Step[] {
    const { lite, maxSteps } = this.options
    if (step === 'SA') return []
    if (step === undefined && !lite) return ['SAY', 'DA']
    if (step === undefined) return ['RA', 'QT']
    if (depth - (lite ? 0 : 1) >= maxSteps) return ['SA']
    if (step === 'QT') return ['RA']
    return queries.length > 0 ? ['RA', 'QT'] : ['QT', 'SA']
  }

  private reward(node: Node): number {
    return this.options.samples === 1 ? 1 : this.consistency.get(node)!
  }

  private readonly consistency = new Map<Node, number>()

  /** What a step says; undefined where it cannot be read. */
  private async play(parent: Node, step: Step): Promise<Node | undefined> {
    const { prompts, sampling, rollouts } = this.options
    const { state } = parent
    const place = ++this.made
    const creative = rollouts > 1 ? DIVERSE : sampling
    const child = newNode(parent, step, state)
    child.queries = parent.queries
    if (step === 'SAY' || step === 'DA') {
      const prompt = step === 'SAY' ? prompts.say(state) : prompts.answerDirectly(state)
      child.text = (await this.ask(prompt, step === 'SAY' ? creative : sampling, [], place)).trim()
      child.state = { ...state, analysis: child.text }
      return child.text === '' ? undefined : child
    }
    if (step === 'QT') {
      child.text = await this.ask(prompts.transform(state), creative, [], place)
      child.queries = this.newQueries(child.text, state)
      return child.queries.length === 0 ? undefined : child
    }
    if (step === 'RA') return this.retrieve(child, parent.queries, place)
    return this.conclude(child, place)
  }

  private async retrieve(child: Node, queries: readonly string[], place: number): Promise<Node | undefined> {
    const { prompts, sampling, searchEngine, topK } = this.options
    const found = await Promise.all(
      queries.map(async (query, i) => {
        const documents = await this.attempt.search(searchEngine, query, topK, place, i)
        const list = documents
          .map(({ title, text }, d) => `Doc ${d + 1}: ${title ? `(${title}) ` : ''}${text}`)
          .join('\n')
        const shown = fit(this.model, harmless(list, this.model), DOCUMENTS_SHARE)
        const answer = (await this.ask(prompts.answerFrom(query, shown), sampling, [], place, i)).trim()
        return { query, answer, documents }
      }),
    )
    const notes = found.filter(({ answer }) => answer !== '').map(({ query, answer }) => ({ query, answer }))
    child.queries = []
    child.documents = found.flatMap(({ documents }) => documents)
    child.text = found.map(({ answer }) => answer).join('\n')
    child.state = { ...child.state, notes: [...child.state.notes, ...notes] }
    return notes.length === 0 ? undefined : child
  }

  private async conclude(child: Node, place: number): Promise<Node | undefined> {
    const { prompts, sampling, samples } = this.options
    const prompt = prompts.summarize(child.state)
    const texts = await Promise.all(
      Array.from({ length: samples }, (_, i) => this.ask(prompt, sampling, ['</answer>'], place, i)),
    )
    const read = texts
      .map((text) => ({ text, answer: extractAnswer([text]) ?? '' }))
      .filter(({ answer }) => answer !== '')
    const chosen = mostConsistent(read.map(({ answer }) => answer))
    if (!chosen) return undefined
    child.answer = chosen.answer
    child.text = read.find(({ answer }) => answer === chosen.answer)!.text
    this.consistency.set(child, chosen.score)
    return child
  }

  /** Queries in a text that were not asked on this path. */
  private newQueries(text: string, { question, notes }: AirRagState): string[] {
    const asked = new Set([question, ...notes.map(({ query }) => query)].map(normalizeAnswer))
    const queries: string[] = []
    for (const [, content] of text.matchAll(/<query>((?:(?!<query>)[^])*?)<\/query>/g)) {
      const query = content!.trim()
      const key = normalizeAnswer(query)
      if (key === '' || asked.has(key)) continue
      asked.add(key)
      queries.push(query)
    }
    return queries.slice(0, this.options.maxQueries)
  }

  private async ask(
    prompt: ReturnType<AirRagPrompts['say']>,
    sampling: Sampling,
    stop: string[],
    ...place: number[]
  ): Promise<string> {
    const { maxTokens } = this.options
    const completion = await this.attempt.complete(this.model, prompt, { ...sampling, maxTokens, stop }, ...place)
    return withStop(completion, stop)
  }

  /** The path to a node as turns. */
  private tell(leaf: Node): void {
    for (const { step, parent, text, documents, answer } of pathTo(leaf)) {
      const turn = this.attempt.say(text, actionOf(step, parent?.queries ?? [], answer))
      if (step !== 'RA') continue
      const shown = documents.map((document) => `${document.title ?? ''}\n${document.text}`).join('\n')
      turn.observation = { text: shown, documents }
    }
  }
}

/** Share of the model's context that documents may take. */
const DOCUMENTS_SHARE = 0.5

function actionOf(step: Step | undefined, queries: readonly string[], answer: string | undefined): Action {
  if (answer !== undefined) return { kind: 'answer', answer }
  return step === 'RA' ? { kind: 'search', query: queries.join('; ') } : { kind: 'think' }
}

const newNode = (parent: Node | undefined, step: Step | undefined, state: AirRagState): Node => ({
  step,
  parent,
  children: [],
  untried: [],
  depth: parent ? parent.depth + 1 : 0,
  state,
  queries: [],
  text: '',
  documents: [],
  answer: undefined,
  visits: 0,
  total: 0,
})

const pathTo = (node: Node): Node[] => (node.parent ? [...pathTo(node.parent), node] : [])

const sameState = (a: Node, b: Node): boolean =>
  JSON.stringify([a.state, a.queries, a.answer]) === JSON.stringify([b.state, b.queries, b.answer])
