/** Exit codes of the command, for its help. */
export const EXIT_CODES = `
Exit codes:
  0    the run reached its end
  1    it could not begin, failed, or could not be saved; the message says why
  130  it was interrupted (Ctrl-C, or SIGTERM); what it had learned is saved where saveTo is given,
       and --resume goes on with it. A second Ctrl-C ends it at once: then the last save is left`
