import type { Question } from '../schema/question.js'
import { NOTHING_SPENT, addSpent } from './attempt.js'
import type { Attempt, JournalLine, Judged, Spent } from './attempt.js'

const keyOf = (questionId: string, rollout: number): string => JSON.stringify([questionId, rollout])

const verdictKey = (questionId: string, rollout: number, judge: string): string =>
  JSON.stringify([questionId, rollout, judge])

/** What the journal says, of each attempt the latest. */
export class Collected {
  /** What players were asked in all, failed attempts included. */
  played: Spent = NOTHING_SPENT
  /** What judges were asked in all. */
  judging: Spent = NOTHING_SPENT
  /** Why judges failed, in this process. */
  readonly judgeFaults: string[] = []
  private readonly attempts = new Map<string, Attempt>()
  private readonly verdicts = new Map<string, Judged>()

  constructor(lines: readonly JournalLine[]) {
    for (const line of lines) this.take(line)
  }

  take(line: JournalLine): void {
    if (line.kind === 'judged') {
      const { kind: _, ...judged } = line
      this.verdicts.set(verdictKey(judged.questionId, judged.rollout, judged.judge), judged)
      this.judging = addSpent(this.judging, judged.spent)
      return
    }
    const { kind: _, ...attempt } = line
    this.attempts.set(keyOf(attempt.trajectory.question.id, attempt.rollout), attempt)
    this.played = addSpent(this.played, attempt.spent)
  }

  judgeFailed(message: string): void {
    this.judgeFaults.push(message)
  }

  attempt(questionId: string, rollout: number): Attempt | undefined {
    return this.attempts.get(keyOf(questionId, rollout))
  }

  /** What this judge said. */
  judged(questionId: string, rollout: number, judge: string): Judged | undefined {
    return this.verdicts.get(verdictKey(questionId, rollout, judge))
  }

  /** The questions of all attempts, as they were asked. */
  asked(): Iterable<Question> {
    return [...this.attempts.values()].map(({ trajectory }) => trajectory.question)
  }
}
