import { createHash } from 'node:crypto'
import { mkdir, readFile, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { openJournal } from '../file/journal.js'
import { writeJsonl } from '../file/jsonl.js'
import { writeParquet } from '../file/parquet.js'
import { openFolder } from '../file/write-folder.js'
import type { FolderKind, FolderWriter } from '../file/write-folder.js'
import { interruptSignal } from '../host/jupyter.js'
import { withProgress } from '../host/progress.js'
import type { Question } from '../schema/question.js'
import { journalLineSchema, NOTHING_SPENT } from './attempt.js'
import { collect, methodFor } from './collect.js'
import { Collected } from './collected.js'
import { makeExamples } from './counts.js'
import type { SimulatorDataCounts } from './counts.js'
import { datasheet } from './datasheet.js'
import { columnsOf, lineOf, prompted, rowOf } from './example-rows.js'
import type { PromptedExample } from './example-rows.js'
import type { SimulatorExample } from './label.js'
import { MANIFEST, checkResumable, manifestText, settingsOf } from './manifest.js'
import type { DataSettings } from './manifest.js'
import { OPERATION, parseSimulatorData } from './options.js'
import type { CheckedSimulatorData, SimulatorDataOptions } from './options.js'
import { PARTS, llamaFactoryFiles, trlFiles } from './trainer-configs.js'

/** Data that teaches a simulator, on disk. */
export interface SimulatorData {
  /** Its folder; `README.md` in it is its datasheet. */
  folder: string
  /** Path of the examples to learn from. */
  train: string
  /** Path of the held-out ones, where there are any. */
  heldOut?: string
  /** What became of everything that was collected. */
  counts: SimulatorDataCounts
}

/** Every attempt and judgement, as it came. It outlives what is written beside it. */
const JOURNAL = 'collected.jsonl'

const OWN = [
  ...[MANIFEST, 'README.md', 'parquet', 'dataset_info.json', 'llama-factory.yaml', 'trl.yaml'],
  ...Object.values(PARTS).map((name) => `${name}.jsonl`),
]

const KIND: FolderKind = {
  operation: `${OPERATION}: saveTo`,
  what: 'simulator data set',
  marker: MANIFEST,
  owns: (name) => OWN.includes(name),
}

/**
 * Makes the data with which a simulator is fine-tuned, as the paper does (arXiv 2505.04588, section 3.2): an LLM plays questions
 * with a real engine; documents of trajectories with a right answer are useful, those of wrong ones noisy.
 *
 * What the paper leaves open is done here, and counted: labels are checked (a useful list holds a gold answer, no noisy document
 * does), documents are what a simulator could write (`parseDocuments` gives them back), nothing is twice, useful and noisy are
 * balanced, and parts are split by question. Its reference code pairs queries with the questions of other rows as soon as one
 * row does not search, and has no code for this data at all; here each search is noted beside the attempt that made it.
 *
 * The folder holds chats as JSONL and Parquet, configurations for LLaMA-Factory and TRL, a manifest, and a datasheet. Every attempt
 * is on the disk as soon as it ends: after a stop or a kill `resume: true` goes on, and the data is the same.
 * @throws where an option is not what it must be, too many attempts fail, or nothing is left to learn from; what was collected is
 * kept then
 * @example
 * const data = await zs.buildSimulatorData({ model, searchEngine: engine, questions, saveTo: 'runs/data' })
 * const writer = await zs.loadModel('smollm2', { adapter: { rank: 16 } })
 * await zs.finetune({ model: writer, examples: data.train, heldOut: 0.05, saveTo: 'runs/simulator' })
 */
export async function buildSimulatorData(given: SimulatorDataOptions): Promise<SimulatorData> {
  const parsed = parseSimulatorData(given)
  const signal = parsed.signal ?? interruptSignal()
  const options: CheckedSimulatorData = { ...parsed, ...(signal && { signal }) }
  const { saveTo, resume, overwrite, questions, rollouts, progress } = options
  // Now, not at the first question.
  const settings = settingsOf(options, methodFor(options, { searches: [], spent: NOTHING_SPENT }).name)
  const folder = await openFolder(saveTo, KIND, { overwrite: resume || overwrite })
  try {
    if (resume) await checkResumable(folder.folder, settings)
    else await begin(folder, settings)
    const [lines, journal] = await openJournal(join(folder.folder, JOURNAL), journalLineSchema, 'collected attempts')
    const collected = new Collected(lines)
    try {
      checkQuestions(collected, questions)
      const total = questions.length * rollouts
      await withProgress({ title: 'buildSimulatorData', unit: 'attempts', total, progress }, (report) =>
        collect(options, collected, journal, report),
      )
    } finally {
      await journal.close()
    }
    const made = makeExamples(options, collected)
    checkExamples(options, made.counts)
    await write(folder, settings, options, made)
    const path = (name: string): string => join(saveTo, `${name}.jsonl`)
    return {
      folder: saveTo,
      train: path(PARTS.train),
      ...(made.heldOut.length > 0 && { heldOut: path(PARTS.heldOut) }),
      counts: made.counts,
    }
  } finally {
    await folder.close()
  }
}

const begin = (folder: FolderWriter, settings: DataSettings): Promise<void> =>
  folder.write(async (aside) => {
    await writeFile(join(aside, JOURNAL), '')
    await writeFile(join(aside, MANIFEST), manifestText({ state: 'collecting', settings, files: {} }))
  })

/** Attempts are kept by the ids of their questions. */
function checkQuestions(collected: Collected, questions: readonly Question[]): void {
  const known = new Map([...collected.asked()].map((question) => [question.id, question]))
  const words = ({ question, goldAnswers }: Question): string => JSON.stringify([question, goldAnswers])
  const other = questions.find(
    (question) => known.has(question.id) && words(known.get(question.id)!) !== words(question),
  )
  if (!other) return
  throw new Error(
    `${OPERATION}: question ${other.id} must be the one that was played under this id, ${words(known.get(other.id)!)}, got ` +
      `${words(other)}; give it another id, or begin anew with \`overwrite: true\``,
  )
}

function checkExamples(
  { balance, saveTo }: CheckedSimulatorData,
  { attempts, searches, examples }: SimulatorDataCounts,
): void {
  if (examples.train.useful + examples.train.noisy > 0) return
  const { right, wrong, unanswered, failed, unclear } = attempts
  const faults = Object.entries(searches.faults).filter(([, count]) => count > 0)
  const why = faults.map(([fault, count]) => `${fault} (${count})`).join(', ')
  throw new Error(
    `${OPERATION}: nothing is left to learn from: ${right} attempts were right, ${wrong} wrong, ${unanswered} without an answer, ` +
      `${failed} failed, ${unclear} unclear${why && `; searches were left out for: ${why}`}; ` +
      `${balance ? '`balance: false` keeps one quality alone, and ' : ''}more rollouts or another judge give more. ` +
      `What was collected is kept in ${saveTo}; \`resume: true\` goes on with it`,
  )
}

async function write(
  folder: FolderWriter,
  settings: DataSettings,
  { prompt }: CheckedSimulatorData,
  { train, heldOut, counts }: { train: SimulatorExample[]; heldOut: SimulatorExample[]; counts: SimulatorDataCounts },
): Promise<void> {
  const parts = new Map<string, PromptedExample[]>([[PARTS.train, train.map((example) => prompted(example, prompt))]])
  if (heldOut.length > 0)
    parts.set(
      PARTS.heldOut,
      heldOut.map((example) => prompted(example, prompt)),
    )
  const shown = parts.get(PARTS.train)![0]!
  const isChat = typeof shown.prompt !== 'string'
  await folder.write(async (aside) => {
    await mkdir(join(aside, 'parquet'))
    for (const [name, examples] of parts) {
      await writeJsonl(join(aside, `${name}.jsonl`), examples.map(lineOf))
      await writeParquet(join(aside, 'parquet', `${name}.parquet`), examples.map(rowOf), columnsOf(isChat))
    }
    const configs = { ...llamaFactoryFiles(isChat, heldOut.length > 0), ...trlFiles(heldOut.length > 0) }
    const sheet = datasheet({ state: 'complete', settings, files: {} }, counts, shown)
    for (const [name, text] of Object.entries({ ...configs, 'README.md': sheet }))
      await writeFile(join(aside, name), text)
    const files = await digests(aside)
    await writeFile(join(aside, MANIFEST), manifestText({ state: 'complete', settings, files, counts }))
  })
}

async function digests(folder: string): Promise<Record<string, string>> {
  const names = await readdir(folder, { recursive: true, withFileTypes: true })
  const paths = names.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name))
  const files: Record<string, string> = {}
  for (const path of paths.sort())
    files[path.slice(folder.length + 1)] = createHash('sha256')
      .update(await readFile(path))
      .digest('hex')
  return files
}
