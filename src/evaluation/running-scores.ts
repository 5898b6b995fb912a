import type { Score } from '../schema/score.js'

/** Exact match so far of one method, set by set: what an evaluation shows while it goes on. */
export class RunningScores {
  private readonly sets = new Map<string, { right: number; asked: number }>()
  private failed = 0

  constructor(private readonly method: string) {}

  add({ dataset, em, failure }: Score): void {
    const set = this.sets.get(dataset) ?? { right: 0, asked: 0 }
    set.right += em
    set.asked++
    this.sets.set(dataset, set)
    if (failure !== undefined) this.failed++
  }

  /** "rag: EM nq 0.412, popqa 0.300, 2 failed" */
  get text(): string {
    const sets = [...this.sets].map(([name, { right, asked }]) => `${name} ${(right / asked).toFixed(3)}`)
    const failed = this.failed === 0 ? [] : [`${this.failed} failed`]
    return sets.length === 0 ? this.method : `${this.method}: EM ${[...sets, ...failed].join(', ')}`
  }
}
