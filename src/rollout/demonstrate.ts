import type { Conversation, Generation, Policy } from '../policy/policy.js'
import type { Document } from '../schema/document.js'
import type { Question } from '../schema/question.js'
import type { Trajectory } from '../schema/trajectory.js'
import { neutralizeDocument } from '../search/neutralize.js'
import type { SearchEngine } from '../search/search-engine.js'
import { rollOut } from './roll-out.js'
import { parseRolloutOptions } from './rollout-options.js'
import type { RolloutOptions } from './rollout-options.js'

/**
 * Writes the next message in the policy's place, such as `<search> capital of Peru </search>`.
 * @param found The documents of each search so far, as the policy reads them.
 */
export type Teacher = (found: readonly (readonly Document[])[]) => string

/**
 * Plays a question with messages that a teacher writes: what supervised fine-tuning imitates. Prompt, documents and limits
 * are those of a rollout, so `ids` and `lossMask` are what a policy that wrote these messages would have left; `logprobs`
 * are 0, for nothing was sampled.
 * @param policy Whose tokenizer and context are taken; its weights are not asked.
 * @throws where teacher or engine fails, a message is longer than the protocol allows, or the last one gives no answer
 * @example
 * const demonstration = await zs.demonstrate(
 *   policy,
 *   question,
 *   ([documents]) => documents ? `<answer> ${documents[0].title} </answer>` : `<search> ${question.question} </search>`,
 *   { searchEngine: engine },
 * )
 * const example = { ids: demonstration.ids, tokenWeights: demonstration.lossMask }
 */
export async function demonstrate(
  policy: Pick<Policy, 'name' | 'tokenizer' | 'contextLength'>,
  question: Question,
  teacher: Teacher,
  options: RolloutOptions,
): Promise<Trajectory> {
  const { tokenizer } = policy
  const { searchEngine } = parseRolloutOptions(options)
  const found: Document[][] = []
  const watched: SearchEngine = {
    name: searchEngine.name,
    async search(query, context) {
      const documents = await searchEngine.search(query, context)
      found.push(documents.slice(0, context.topK).map((document) => neutralizeDocument(document, tokenizer)))
      return documents
    },
  }
  const conversation: Conversation = {
    generate: (_, { maxTokens }) => Promise.resolve().then(() => taught(policy, teacher(found), maxTokens)),
    end: () => undefined,
  }
  const written = { ...policy, start: () => Promise.resolve(conversation) }
  const trajectory = await rollOut(written, question, { ...options, searchEngine: watched })
  const { stopReason, failure } = trajectory
  if (stopReason !== 'answer') {
    const why = failure ? `failed in ${failure.boundary}: ${failure.message}` : `ended by ${stopReason}`
    throw new Error(`demonstrate: a demonstration must end with an answer, that of "${question.question}" ${why}`)
  }
  return trajectory
}

function taught({ tokenizer }: Pick<Policy, 'tokenizer'>, text: string, maxTokens: number): Generation {
  const ids = tokenizer.encode(text)
  if (ids.length > maxTokens) {
    throw new Error(`the teacher's message must hold at most ${maxTokens} tokens, got ${ids.length}; shorten it`)
  }
  return { ids, logprobs: ids.map(() => 0), text, stopReason: 'stop' }
}
