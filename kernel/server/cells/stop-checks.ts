import ts from './typescript.cjs'
import type { Edit } from './analysis.js'

/** The stop button, as cells see it: `asked[0]` is not 0 once it was pressed, and `now` throws. */
export interface Stop {
  asked: Int32Array
  now: () => never
}

/** The names that the checks use: `asked` and `now` of the stop button. */
export const STOP_NAMES = ['__asked__', '__stop__'] as const
const STATEMENT = '__asked__[0] && __stop__();'
const CONDITION = '__asked__[0] ? __stop__() : '

/**
 * Where a text looks whether the stop button was pressed: at each turn of a loop and at the start of each function. Code that
 * runs after an `await` can't be stopped from outside, and what runs for long is a loop, a recursion, or a function that a
 * library calls again and again.
 */
export function stopChecks(source: ts.SourceFile): Edit[] {
  const edits: Edit[] = []
  const insert = (position: number, text: string): void => void edits.push({ start: position, end: position, text })
  const visit = (node: ts.Node): void => {
    if (ts.isIterationStatement(node, false)) {
      const { statement: body } = node
      const start = body.getStart(source)
      if (ts.isBlock(body)) insert(start + 1, STATEMENT)
      else {
        insert(start, `{${STATEMENT}`)
        insert(body.end, '}')
      }
    } else if (ts.isArrowFunction(node) && !ts.isBlock(node.body)) insert(node.body.getStart(source), CONDITION)
    else if (ts.isFunctionLike(node) && 'body' in node && node.body && !hasDirective(node.body as ts.Block))
      insert((node.body as ts.Block).getStart(source) + 1, STATEMENT)
    ts.forEachChild(node, visit)
  }
  visit(source)
  return edits
}

/** Such as 'use strict': it counts only as a function's first statement. */
const hasDirective = ({ statements: [first] }: ts.Block): boolean =>
  first !== undefined && ts.isExpressionStatement(first) && ts.isStringLiteral(first.expression)

const COMPILED = /\s*__asked__\[0\] && __stop__\(\);|__asked__\[0\] \? __stop__\(\) : /g

/** Has a function's text be what the user wrote, without checks: packages such as Arquero read it to compile it anew. */
export function hideStopChecks(): void {
  const toString = Object.getOwnPropertyDescriptor(Function.prototype, 'toString')!.value as () => string
  Object.defineProperty(Function.prototype, 'toString', {
    configurable: true,
    writable: true,
    value: function (this: unknown): string {
      const text = toString.call(this)
      return text.includes('__asked__') ? text.replace(COMPILED, '') : text
    },
  })
}
