/** When a response is too long. */
export interface OverlongOptions {
  /** From this length on the penalty is whole. */
  maxLength: number
  /** Over so many tokens before it, the penalty grows in a straight line. */
  buffer: number
  /** The whole penalty. Default 1. */
  factor?: number
}

/**
 * Soft penalty of long responses (DAPO, arXiv 2503.14476, eq. 13): 0 up to `maxLength − buffer`, then in a straight line down to
 * −factor at `maxLength`, and no lower.
 *
 * As `get_soft_overlong_punishment` of TRL 1.16.0 and the paper; in verl 0.9.1 the line goes on below −factor.
 * @param length Tokens of the response.
 * @example
 * zs.overlongPenalty(90, { maxLength: 100, buffer: 20 }) // -0.5
 */
export function overlongPenalty(length: number, { maxLength, buffer, factor = 1 }: OverlongOptions): number {
  const excess = length - (maxLength - buffer)
  return excess <= 0 ? 0 : -factor * Math.min(1, excess / buffer)
}
