import type { CheckedOptions } from './train-options.js'

/** How far a run is. */
export interface Progress {
  /** The update under way, from 1. */
  update: number
  /** True as soon as the run has something to save: an update made, or its optimizer step begun. */
  saves: boolean
}

type Remaining = Pick<CheckedOptions, 'updates' | 'saveTo' | 'resume'>

interface StoppedHow {
  ended?: Promise<void>
  pause?: string
  unit?: 'update' | 'step'
}

/** What a stopped training rejects with: how far it came, and how to go on. */
export class TrainingStopped extends Error {
  /** Tells it from errors. */
  override name = 'TrainingStopped'

  /** Settles when what was under way has ended and the run is saved; rejects where it could not be. */
  readonly ended: Promise<void>

  /**
   * @internal
   * @param how `pause`: why the run paused by itself, after its update; without it, somebody stopped it. `unit`: what its
   * updates are called.
   */
  constructor(
    progress: Progress,
    options: Remaining,
    { ended = Promise.resolve(), pause, unit = 'update' }: StoppedHow = {},
  ) {
    const { updates } = options
    super(
      pause === undefined
        ? `Stopped in ${unit} ${progress.update} of ${updates}. ${whatRemains(progress, options)}`
        : `Paused after update ${progress.update} of ${updates}: ${pause}. ${whereItIs(options)}`,
    )
    this.ended = ended
    // It's no fault, so its place says nothing.
    this.stack = `${this.name}: ${this.message}`
  }
}

const whereItIs = ({ saveTo }: Remaining): string =>
  saveTo === undefined
    ? 'The policy keeps what it has learned; without saveTo the run is not saved.'
    : `The run is saved in ${saveTo}; \`resume: true\` goes on with it, with \`allowChanges\` under other settings.`

function whatRemains({ saves }: Progress, { saveTo, resume }: Remaining): string {
  const ends = 'An optimizer step under way ends in the background.'
  if (saves && saveTo === undefined)
    return `${ends} The policy keeps what it has learned; without saveTo the run is not saved.`
  if (saves) return `${ends} The run is then saved in ${saveTo}; \`resume: true\` goes on with it.`
  const nothing = 'No update was made, so there is nothing to save'
  return resume ? `${nothing}; ${saveTo} is as it was, and \`resume: true\` goes on with it.` : `${nothing}.`
}
