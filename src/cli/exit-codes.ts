/** Exit codes of `train`, for its help. */
export const EXIT_CODES = `
Exit codes:
  0    the run reached its end
  1    it could not begin, failed, or could not be saved; the message says why
  130  it was interrupted (Ctrl-C, or SIGTERM); what it had learned is saved where saveTo is given,
       and --resume goes on with it. A second Ctrl-C ends it at once: then the last save is left`

/** The same of `evaluate`. */
export const EVALUATION_EXIT_CODES = `
Exit codes:
  0    every question was asked; those that failed are told, and count as wrong
  1    it could not begin, too many questions failed, or scores could not be saved; the message says why
  130  it was interrupted (Ctrl-C, or SIGTERM); what was scored is saved where saveTo is given,
       and --resume goes on with it. A second Ctrl-C ends it at once: scores are saved then too`

/** The same for data that is collected. */
export const DATA_EXIT_CODES = `
Exit codes:
  0    the data is written
  1    it could not begin, or failed; the message says why, and what was collected is kept
  130  it was interrupted (Ctrl-C, or SIGTERM); what was collected is kept in saveTo, and --resume
       goes on with it`
