import type { Spent } from './attempt.js'
import type { PartCounts, SimulatorDataCounts } from './counts.js'
import { SEARCH_FAULTS } from './label.js'
import type { SearchFault } from './label.js'
import type { DataManifest } from './manifest.js'
import type { PromptedExample } from './example-rows.js'

/** What each fault of a search means. */
const FAULTS: Readonly<Record<SearchFault, string>> = {
  'no documents': 'nothing found, nothing readable, or an empty query',
  'yes or no': 'the answer is yes or no: whether a document holds it cannot be told',
  'useful without the answer': 'of a right trajectory, but no document holds the answer',
  'noisy with the answer in all': 'of a wrong trajectory, but every document holds the answer',
  duplicate: 'the same documents for the same query of the same question',
  'over the limit of its question': 'drawn out: too many of one question and quality',
  'query is learned': 'held out, but an example to learn from has the same query',
  balance: 'drawn out: more of its quality than of the other',
}

/** The counts as Markdown. */
export function datasheet(
  manifest: DataManifest,
  counts: SimulatorDataCounts,
  shown: PromptedExample | undefined,
): string {
  const { attempts, searches, documents, examples, causes, spent } = counts
  const { model, method, searchEngine, judge, words, usefulIf, maxPerQuestion, balance, rollouts, seed } =
    manifest.settings
  const made = examples.train.useful + examples.train.noisy + examples.heldOut.useful + examples.heldOut.noisy
  return `# Simulator data
Examples that teach an LLM to play a search engine (ZeroSearch, arXiv 2505.04588): prompt and documents, useful or noisy as the
prompt asks. \`${escape(model)}\` played questions by the method \`${escape(method)}\` with the engine \`${escape(searchEngine)}\`,
${rollouts === 1 ? 'once each' : `${rollouts} times each`}. Searches of right trajectories gave useful documents, searches of wrong ones noisy documents. Judge: \`${escape(judge)}\`.

| part | useful | noisy | questions | documents | different ones | words a document |
|---|---|---|---|---|---|---|
${partRow('to learn from (`train`)', examples.train)}
${partRow('held out (`validation`)', examples.heldOut)}

No question is in both parts, by id or by its words; no held-out query is learned with another question.
${counts.heldOutDocumentsLearned} of the held-out documents stand word for word in an example to learn from: the corpus is one.

| attempts | ${attempts.all} |
|---|---|
| failed | ${attempts.failed} |
| without an answer | ${attempts.unanswered} |
| judge failed, or could not tell | ${attempts.unclear} |
| right | ${attempts.right} |
| wrong | ${attempts.wrong} |

| searches | ${searches.all} |
|---|---|
| of attempts that were neither right nor wrong | ${searches.unjudged} |
${SEARCH_FAULTS.map((fault) => `| ${FAULTS[fault]} | ${searches.faults[fault]} |`).join('\n')}
| became examples | ${made} |

| documents of right and wrong attempts | ${documents.given} |
|---|---|
| unreadable, left out | ${documents.unreadable} |
| twice in a list, left out | ${documents.repeated} |
| taken out of noisy lists, for the answer stands in them | ${documents.withAnswer} |
| cut to ${Number.isFinite(words) ? words : 'all'} words | ${documents.shortened} |

| asked of language models | completions | tokens of prompts | tokens written | cost |
|---|---|---|---|---|
${spentRow('players', spent.players)}
${spentRow('judges', spent.judges)}

Every useful example has a document that holds a gold answer${usefulIf === 'trajectory' ? ', or stands in a trajectory that found one' : ''}; no noisy one has. Whole words
count, after SQuAD's normalisation. At most ${maxPerQuestion} examples of one question and quality, ${balance ? 'as many useful as noisy ones' : 'not balanced'}, seed ${seed}.
${causes.length === 0 ? '' : `\nWhat failed:\n${causes.map(({ message, count }) => `- ${count} × ${escape(message.slice(0, 300))}`).join('\n')}\n`}
Files: \`train.jsonl\` and \`validation.jsonl\` (chats), the same in \`parquet/\` (prompt and completion apart), \`collected.jsonl\` (all attempts and
judgements), \`manifest.json\`. To learn: \`zs.finetune({ model, examples: 'train.jsonl', heldOut: 'validation.jsonl' })\`,
\`llamafactory-cli train llama-factory.yaml\`, or \`trl sft --config trl.yaml\`. The texts have the licence of the engine's corpus and of the questions.
${shown ? exampleText(shown) : ''}`
}

const partRow = (name: string, { useful, noisy, questions, documents, distinctDocuments, words }: PartCounts): string =>
  `| ${name} | ${useful} | ${noisy} | ${questions} | ${documents} | ${distinctDocuments} | ${documents === 0 ? 0 : (words / documents).toFixed(1)} |`

const spentRow = (name: string, { completions, promptTokens, completionTokens, cost }: Spent): string =>
  `| ${name} | ${completions} | ${promptTokens} | ${completionTokens} | ${cost === undefined ? '' : cost.toPrecision(4)} |`

/** A text of somebody else in a line of Markdown. */
const escape = (text: string): string => text.replace(/\s+/g, ' ').replace(/[`|<>[\]\\]/g, ' ')

/** The longest run of back quotes is broken by a longer fence. */
function exampleText({ prompt, completion }: PromptedExample): string {
  const asked =
    typeof prompt === 'string' ? prompt : prompt.map(({ role, content }) => `${role}: ${content}`).join('\n\n')
  const text = `${asked}\n\n---\n\n${completion}`
  const longest = Math.max(2, ...[...text.matchAll(/`+/g)].map(([run]) => run.length))
  const fence = '`'.repeat(longest + 1)
  return `\nThe first example:\n\n${fence}text\n${text}\n${fence}\n`
}
