import { rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { writeJsonl } from '../file/jsonl.js'
import { openLines } from '../file/line-file.js'
import type { LineFile } from '../file/line-file.js'
import { writeParquet } from '../file/parquet.js'
import type { ColumnType } from '../file/parquet.js'
import { wellFormed } from '../file/well-formed.js'
import { writeFileWhole } from '../file/whole-file.js'
import { errorMessage } from '../file/write-error.js'
import { openFolder } from '../file/write-folder.js'
import type { FolderKind, FolderWriter } from '../file/write-folder.js'
import { processSession } from '../host/process-session.js'
import { digest, questionFields } from '../schema/digest.js'
import { firstChange } from '../schema/first-change.js'
import type { Question } from '../schema/question.js'
import type { Score } from '../schema/score.js'
import { describeMethods } from './describe-method.js'
import type { Method } from './method.js'
import { FILES, VERSION, readResultsFile, readSavedScores, scoreKey } from './results-file.js'
import type { ResultsFile, ResultsManifest, ResultsSession, ResultsStatus, SavedScore } from './results-file.js'
import { dropRepeatedTrajectories } from './saved-trajectories.js'
import type { Scored } from './score-question.js'

/** How the folder is opened. */
export interface ResultsOptions {
  saveTo: string
  resume: boolean
  overwrite: boolean
  trajectories: boolean
  seed: number
}

/** The scores of an evaluation in its folder, as they come. */
export interface Results {
  /**
   * What was scored before. A failed question counts as not scored: it is asked again.
   * @throws {Error} where the question of this id was another one
   */
  find(method: string, question: Question): Score | undefined
  /** Keeps what a question gave; the promise resolves when the system has it. */
  add(question: Question, scored: Scored): Promise<void>
  /**
   * Puts the scores in order, writes them as Parquet too, and lets others write the folder.
   * @param asked Those of this evaluation, in order.
   * @param status How it ended.
   * @param fault The error that ended it, if one did.
   */
  finish(asked: readonly Score[], status: Exclude<ResultsStatus, 'running'>, fault?: unknown): Promise<void>
}

const KIND: FolderKind = {
  operation: 'evaluate: saveTo',
  what: 'saved evaluation',
  marker: FILES.evaluation,
  goOn: 'resume: true',
  owns: (name) => Object.values(FILES).includes(name),
}

/** Characters of an error's message in `evaluation.json`. */
const LONGEST_FAULT = 1000

/**
 * Opens the folder before the first question is asked, for scores that cannot be kept are lost.
 * @throws {Error} where it holds something else, or results that are neither resumed nor to be overwritten, or those of other
 * settings; where another process writes it; where it cannot be written
 */
export async function openResults(
  options: ResultsOptions,
  methods: readonly Method[],
  questions: readonly Question[] | undefined,
): Promise<Results> {
  const { saveTo, resume, overwrite, trajectories, seed } = options
  const folder = await openFolder(saveTo, KIND, { overwrite: resume || overwrite })
  try {
    const session = await processSession()
    const described = await describeMethods(methods)
    const manifest = { zerosearch: session.zerosearch, seed, trajectories, methods: described }
    const before = resume ? await readBefore(folder.folder, manifest) : undefined
    const scores = before?.scores ?? new Map<string, SavedScore>()
    const sessions: ResultsSession[] = [
      ...(before?.file.sessions ?? []),
      { ...session, scoredBefore: scores.size, ...(questions && { questions: setsOf(questions) }) },
    ]
    const file: ResultsFile = {
      version: VERSION,
      // Methods of earlier sessions stay: their scores do too.
      manifest: { ...manifest, methods: { ...before?.file.manifest.methods, ...described } },
      sessions,
      status: 'running',
    }
    await (before ? goOn(folder, file) : begin(folder, file))
    const scoreLines = await openLines(join(folder.folder, FILES.scores))
    const trajectoryLines = trajectories ? await openLines(join(folder.folder, FILES.trajectories)) : undefined
    return new OpenResults(folder, file, scores, scoreLines, trajectoryLines)
  } catch (error) {
    await folder.close()
    throw error
  }
}

async function begin(folder: FolderWriter, file: ResultsFile): Promise<void> {
  await folder.write(async (aside) => {
    await writeFile(join(aside, FILES.evaluation), fileText(file))
    await writeFile(join(aside, FILES.scores), '')
  })
}

async function goOn({ folder }: FolderWriter, file: ResultsFile): Promise<void> {
  await writeFileWhole(join(folder, FILES.evaluation), fileText(file))
  // It must not pass for the whole while there is more.
  await rm(join(folder, FILES.table), { force: true })
}

const fileText = (file: ResultsFile): string => `${JSON.stringify(file, null, 2)}\n`

async function readBefore(
  folder: string,
  now: ResultsManifest,
): Promise<{ file: ResultsFile; scores: Map<string, SavedScore> }> {
  const file = await readResultsFile('evaluate', folder)
  const { methods, ...rest } = file.manifest
  const saved = {
    ...rest,
    methods: Object.fromEntries(Object.entries(methods).filter(([name]) => name in now.methods)),
  }
  const both = Object.fromEntries(Object.entries(now.methods).filter(([name]) => name in methods))
  // As JSON: what a file holds.
  const change = firstChange('', saved, JSON.parse(JSON.stringify({ ...now, methods: both })))
  if (change) {
    throw new Error(
      `evaluate: a resumed evaluation keeps its settings: ${change.path} is ${change.was} in ${folder}, got ${change.is}; give ` +
        'the same, give a changed method another name, or `overwrite: true` instead of `resume` begins anew',
    )
  }
  const { scores, damaged } = await readSavedScores(folder)
  if (damaged > 0) {
    console.warn(
      `evaluate: ${damaged} lines of ${join(folder, FILES.scores)} are damaged; their questions are asked again`,
    )
    await writeJsonl(join(folder, FILES.scores), scores.values())
  }
  return { file, scores }
}

const questionDigest = (question: Question): string => digest(questionFields(question))

/** What identifies the questions of each set, in their order. */
function setsOf(questions: readonly Question[]): NonNullable<ResultsSession['questions']> {
  const sets = new Map<string, string[]>()
  for (const question of questions) {
    const digests = sets.get(question.dataset) ?? []
    digests.push(questionDigest(question))
    sets.set(question.dataset, digests)
  }
  return [...sets].map(([dataset, digests]) => ({ dataset, questions: digests.length, content: digest(digests) }))
}

class OpenResults implements Results {
  constructor(
    private readonly folder: FolderWriter,
    private readonly file: ResultsFile,
    private readonly scores: Map<string, SavedScore>,
    private readonly scoreLines: LineFile,
    private readonly trajectoryLines: LineFile | undefined,
  ) {}

  find(method: string, question: Question): Score | undefined {
    const saved = this.scores.get(scoreKey(method, question.dataset, question.id))
    if (!saved || saved.failure !== undefined) return undefined
    const { seed: _, questionDigest: asked, ...score } = saved
    if (asked === questionDigest(question)) return score
    throw new Error(
      `evaluate: question ${question.id} of ${question.dataset} is not the one that ${this.folder.folder} has a score of: its words, ` +
        'gold answers or facts differ; give the same questions, or take another folder',
    )
  }

  async add(question: Question, { trajectory, score, seed }: Scored): Promise<void> {
    const { method } = score
    const line = JSON.stringify({ ...score, seed, questionDigest: questionDigest(question) }, wellFormed)
    // First, so that what is scored has its trajectory.
    await this.trajectoryLines?.add(JSON.stringify({ method, ...trajectory }, wellFormed))
    await this.scoreLines.add(line)
    this.scores.set(scoreKey(method, score.dataset, score.questionId), JSON.parse(line) as SavedScore)
  }

  async finish(asked: readonly Score[], status: ResultsStatus, fault?: unknown): Promise<void> {
    try {
      await this.scoreLines.close()
      await this.trajectoryLines?.close()
      const { folder } = this.folder
      const ordered = this.inOrder(asked)
      await writeJsonl(join(folder, FILES.scores), ordered)
      if (this.trajectoryLines && this.file.sessions.length > 1) await dropRepeatedTrajectories(folder)
      await writeParquet(join(folder, FILES.table), ordered.map(toColumns), COLUMNS)
      this.file.status = status
      if (fault !== undefined) this.file.fault = errorMessage(fault).slice(0, LONGEST_FAULT)
      await writeFileWhole(join(folder, FILES.evaluation), fileText(this.file))
    } finally {
      await this.folder.close()
    }
  }

  /** Method by method, the questions of this evaluation first, in their order. */
  private inOrder(asked: readonly Score[]): SavedScore[] {
    const keys = new Set(asked.map(({ method, dataset, questionId }) => scoreKey(method, dataset, questionId)))
    for (const key of this.scores.keys()) keys.add(key)
    const all = [...keys].flatMap((key) => this.scores.get(key) ?? [])
    return Object.keys(this.file.manifest.methods).flatMap((name) => all.filter(({ method }) => method === name))
  }
}

const COLUMNS = {
  method: 'text',
  dataset: 'text',
  domain: 'text',
  questionId: 'text',
  answer: 'text',
  em: 'number',
  coverEm: 'number',
  f1: 'number',
  paperEm: 'number',
  searches: 'integer',
  turns: 'integer',
  tokens: 'integer',
  pages: 'integer',
  seconds: 'number',
  cost: 'number',
  budgetSearches: 'integer',
  budgetTurns: 'integer',
  budgetTokens: 'integer',
  budgetPages: 'integer',
  answered: 'number',
  failure: 'text',
  seed: 'integer',
  questionDigest: 'text',
} satisfies Record<string, ColumnType>

const toColumns = ({ budget, ...score }: SavedScore): Record<string, unknown> => ({
  ...score,
  budgetSearches: budget?.searches,
  budgetTurns: budget?.turns,
  budgetTokens: budget?.tokens,
  budgetPages: budget?.pages,
})
