import { Path2D } from '@napi-rs/canvas'

interface Point {
  x: number
  y: number
}

/** Straight pieces that stand for one curve. */
const PIECES = 24

/** What a browser's `getTotalLength` and `getPointAtLength` tell of an SVG path; curves are measured as short lines. */
export interface PathMeasure {
  total: number
  /** The point that far along the path, in its units; before the start the first, past the end the last. */
  pointAt(length: number): Point
}

export function measurePath(d: string): PathMeasure {
  const points = flatten(d)
  const lengths = [0]
  for (let i = 1; i < points.length; i++) {
    const [from, to] = [points[i - 1]!, points[i]!]
    lengths.push(lengths[i - 1]! + (to.jump ? 0 : Math.hypot(to.x - from.x, to.y - from.y)))
  }
  const total = lengths[lengths.length - 1]!
  return {
    total,
    pointAt(length) {
      if (points.length === 0) return { x: 0, y: 0 }
      const goal = Math.min(Math.max(length, 0), total)
      const next = lengths.findIndex((reached, i) => i > 0 && reached >= goal)
      if (next < 1) return points[0]!
      const [from, to] = [points[next - 1]!, points[next]!]
      const share = (goal - lengths[next - 1]!) / (lengths[next]! - lengths[next - 1]! || 1)
      return to.jump ? to : { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) }
    },
  }
}

/** The path as points; `jump` marks one that no line leads to. */
function flatten(d: string): (Point & { jump?: boolean })[] {
  // Skia knows every command of SVG, and writes these alone, in absolute numbers.
  const commands = new Path2D(d).toSVGString().matchAll(/([MLQCZ])([^MLQCZ]*)/g)
  const points: (Point & { jump?: boolean })[] = []
  let start: Point = { x: 0, y: 0 }
  let last: Point = start
  for (const [, command, text] of commands) {
    const numbers = (text!.match(/-?[\d.]+(e[-+]?\d+)?/gi) ?? []).map(Number)
    const corners: Point[] = []
    for (let i = 0; i + 1 < numbers.length; i += 2) corners.push({ x: numbers[i]!, y: numbers[i + 1]! })
    if (command === 'Z') corners.push(start)
    if (command === 'M') points.push({ ...(start = corners[0]!), jump: true })
    else if (command === 'L' || command === 'Z') points.push(corners[0]!)
    else for (let i = 1; i <= PIECES; i++) points.push(onCurve([last, ...corners], i / PIECES))
    last = points[points.length - 1]!
  }
  return points
}

/** De Casteljau: the point of a Bézier curve at a share of its parameter. */
function onCurve(corners: readonly Point[], share: number): Point {
  if (corners.length === 1) return corners[0]!
  const between = corners.slice(1).map((to, i) => {
    const from = corners[i]!
    return { x: from.x + share * (to.x - from.x), y: from.y + share * (to.y - from.y) }
  })
  return onCurve(between, share)
}
