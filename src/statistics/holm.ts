/**
 * p-values corrected for their number by Holm's method: the probability that any of several true null hypotheses is refused
 * stays below alpha. In the order in which they were given.
 * Source: Holm (1979), Scandinavian Journal of Statistics 6.
 * @example
 * zs.holmCorrection([0.01, 0.04, 0.03]) // [0.03, 0.06, 0.06]
 */
export function holmCorrection(pValues: readonly number[]): number[] {
  const wrong = pValues.find((p) => !(p >= 0 && p <= 1))
  if (wrong !== undefined) throw new RangeError(`holmCorrection: p-values must lie in [0, 1], got ${wrong}`)
  const order = pValues.map((p, index) => ({ p, index })).sort((a, b) => a.p - b.p)
  const corrected = new Array<number>(pValues.length)
  let largest = 0
  order.forEach(({ p, index }, rank) => {
    largest = Math.max(largest, Math.min(1, (pValues.length - rank) * p))
    corrected[index] = largest
  })
  return corrected
}
