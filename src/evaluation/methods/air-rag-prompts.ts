import type { Message } from '../../tokenizer/tokenizer.js'
import { stepLines } from './rag-star-prompts.js'
import type { Steps } from './rag-star-prompts.js'

/** What is known on a path of AirRAG. */
export interface AirRagState {
  question: string
  /** What was said of the question: its analysis, or an answer from memory. */
  analysis: string
  /** What was searched, and what was answered from documents. */
  notes: Steps
}

/** How AirRAG asks its model for each of its actions. */
export interface AirRagPrompts {
  /** SAY: what the question asks for, and its parts. */
  say(state: AirRagState): string | Message[]
  /** DA: an answer from memory. */
  answerDirectly(state: AirRagState): string | Message[]
  /** RA: an answer to a query out of documents. */
  answerFrom(query: string, documents: string): string | Message[]
  /** QT: new queries, each in `<query>`; none where nothing is missing. */
  transform(state: AirRagState): string | Message[]
  /** SA: the answer to the question in `<answer>`. */
  summarize(state: AirRagState): string | Message[]
}

const user = (...lines: string[]): Message[] => [
  { role: 'user', content: lines.filter((line) => line !== '').join('\n') },
]

const known = ({ question, analysis, notes }: AirRagState): string[] => [
  `Question: ${question}`,
  analysis && `Thoughts: ${analysis}`,
  notes.length > 0 ? `Found so far:\n${stepLines(notes)}` : '',
]

/** Wording of ours, for instruction-tuned models. */
export const airRagPrompts: AirRagPrompts = {
  say: (state) =>
    user('Say in a few words what the question asks for, and of which smaller questions it consists.', ...known(state)),
  answerDirectly: (state) => user('Answer the question from what you know, in one short sentence.', ...known(state)),
  answerFrom: (query, documents) =>
    user('Answer the question in one short sentence, from the documents alone.', documents, `Question: ${query}`),
  transform: (state) =>
    user(
      'What should be searched next? Put the question in other words, ask for something more general, for what is still ' +
        'missing, or for several things. Write each new query between <query> and </query>. If nothing is missing, write none.',
      ...known(state),
    ),
  summarize: (state) =>
    user('Answer the question. Write the answer alone between <answer> and </answer>.', ...known(state)),
}
