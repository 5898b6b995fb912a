import type { Message } from '../../tokenizer/tokenizer.js'

/** Sub-queries that were asked on the way, with their answers. */
export type Steps = readonly { query: string; answer: string }[]

/** How RAG-Star asks its models. */
export interface RagStarPrompts {
  /** For the next sub-query in `<query>`, or the answer to the question in `<answer>`. */
  plan(question: string, steps: Steps): string | Message[]
  /** For the answer to a sub-query, without documents. */
  answer(question: string, steps: Steps, query: string): string | Message[]
  /** For the answer to a sub-query out of documents. */
  refine(query: string, documents: string): string | Message[]
  /** For 1 (documents do not tell), 2 (they contradict the answer) or 3 (they agree). */
  compare(query: string, answer: string, documents: string): string | Message[]
  /** For 0 (the sub-query makes no sense after the steps) or 1. */
  judge(question: string, steps: Steps, query: string): string | Message[]
  /** For the answer to the question in `<answer>`, where no path has come to one. */
  summarize(question: string, steps: Steps): string | Message[]
}

/** The steps as lines. */
export const stepLines = (steps: Steps): string =>
  steps.map(({ query, answer }, i) => `${i + 1}. ${query} ${answer}`).join('\n') || 'none'

const user = (...lines: string[]): Message[] => [{ role: 'user', content: lines.join('\n') }]

/** Wording of ours, for instruction-tuned models. */
export const ragStarPrompts: RagStarPrompts = {
  plan: (question, steps) =>
    user(
      'A question is to be answered by smaller questions, one after the other. Write the next smaller question between <query> ' +
        'and </query>. If the steps so far suffice, write the answer to the question alone between <answer> and </answer> instead.',
      `Question: ${question}`,
      `Steps so far:\n${stepLines(steps)}`,
    ),
  answer: (question, steps, query) =>
    user(
      'Answer the last question in one short sentence, from what you know.',
      `It is part of: ${question}`,
      `Steps so far:\n${stepLines(steps)}`,
      `Last question: ${query}`,
    ),
  refine: (query, documents) =>
    user('Answer the question as briefly as you can, from the documents alone.', documents, `Question: ${query}`),
  compare: (query, answer, documents) =>
    user(
      'Do the documents agree with the answer? Reply with one digit: 1 if they do not tell, 2 if they contradict it, 3 if they ' +
        'agree.',
      documents,
      `Question: ${query}`,
      `Answer: ${answer}`,
    ),
  judge: (question, steps, query) =>
    user(
      'Does the next step make sense on the way to the question, after the steps so far? Reply with one digit: 1 if it does, 0 ' +
        'if it does not.',
      `Question: ${question}`,
      `Steps so far:\n${stepLines(steps)}`,
      `Next step: ${query}`,
    ),
  summarize: (question, steps) =>
    user(
      'Answer the question from the steps. Write the answer alone between <answer> and </answer>.',
      `Steps:\n${stepLines(steps)}`,
      `Question: ${question}`,
    ),
}
