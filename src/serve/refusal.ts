/** Why a request gets no answer, as the status and the words that its client is told. */
export class Refusal extends Error {
  constructor(
    readonly status: number,
    message: string,
    readonly headers: Readonly<Record<string, string>> = {},
  ) {
    super(message)
    this.name = 'Refusal'
  }
}

/** Too much at once: the client is to come back. */
export const busy = (message: string): Refusal => new Refusal(503, message, { 'retry-after': '1' })

/** Runs a check of what a client sent: what it throws is the client's fault. */
export function checked<T>(check: () => T): T {
  try {
    return check()
  } catch (error) {
    throw new Refusal(400, error instanceof Error ? error.message : String(error))
  }
}
