// Cells in the running kernel: TypeScript, names across cells, imports, results, errors.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KernelClient, errorOf, resultText, streamText } from './client.js'

let kernel: KernelClient
beforeAll(async () => void (kernel = await KernelClient.start()))
afterAll(() => kernel.stop())

/** Runs cells in order; the result of the last as text. */
async function run(...cells: string[]): Promise<unknown> {
  let last: unknown
  for (const code of cells) {
    const answer = await kernel.execute(code)
    expect(errorOf(answer)?.traceback.join('\n'), code).toBeUndefined()
    last = resultText(answer)
  }
  return last
}

describe('names', () => {
  it('live on, and functions of earlier cells see what they hold now', async () => {
    expect(await run('let a1 = 1; const b1 = 2; function readA() { return a1 }', 'a1 = 5; readA() + b1')).toBe('7')
    expect(await run('a1++; ({ a1, b1 })')).toBe('{ a1: 6, b1: 2 }')
  })

  it('may be declared anew, with another type', async () => {
    expect(await run('let again = 1', 'let again = "text"; again.length', 'again.toUpperCase()')).toBe("'TEXT'")
    expect(await run('function g() { return 1 }', 'function g() { return "two" }', 'g()')).toBe("'two'")
  })

  it('of functions show as they were written, also to packages that compile them anew', async () => {
    expect(await run('const twice = (a) => a * 2; function one() { return 1 }; [String(twice), one.toString()]')).toBe(
      "[ '(a) => a * 2', 'function one() { return 1; }' ]",
    )
    const derive =
      'import { table } from "arquero"; table({ a: [1] }).derive({ b: (d) => d.a * 2, c: (d) => { const e = d.a; return e + 4 } }).object(0)'
    expect(await run(derive)).toBe('{ a: 1, b: 2, c: 5 }')
  })

  it('may hide those of Node, begin with underscores, be exported, destructured, or stand for types', async () => {
    expect(await run('const fetch = 3', 'fetch + 1')).toBe('4')
    expect(await run('const __own = 1', '__own')).toBe('1')
    expect(await run('export const shown = 4; export default shown', 'shown')).toBe('4')
    expect(await run('const { x: px, ...others } = { x: 1, y: 2 }', 'others.y + px')).toBe('3')
    expect(
      await run(
        'interface P<T> { v: T }; type Q = keyof P<1>; enum E { A, B }; class C<T> { constructor(public v: T) {} }',
        'const p: P<number> = { v: 1 }; const q: Q = "v"; [p[q], E.B, new C("c").v]',
      ),
    ).toBe("[ 1, 1, 'c' ]")
  })

  it('of a cell that threw are kept as far as it came', async () => {
    const answer = await kernel.execute('const before = 1; throw new Error("stop"); const after = 2')
    expect(errorOf(answer)?.evalue).toBe('stop')
    expect(await run('before')).toBe('1')
  })

  it('are the same after 300 cells', async () => {
    for (let i = 0; i < 300; i++) await kernel.execute(`const many${i} = ${i === 0 ? '0' : `many${i - 1} + 1`}`)
    expect(await run('many299')).toBe('299')
  })
})

describe('results', () => {
  it('are those of the last expression: null shows, undefined does not, promises are awaited', async () => {
    expect(await run('null')).toBe('null')
    expect(await run('undefined')).toBeUndefined()
    expect(await run('const silent = 1')).toBeUndefined()
    expect(await run('Promise.resolve(4)')).toBe('4')
    expect(await run('await Promise.resolve(5)')).toBe('5')
  })

  it('show themselves: Jupyter.display first, then toHtml', async () => {
    const display = await kernel.execute(
      '({ [Symbol.for("Jupyter.display")]: () => ({ "text/html": "<b>own</b>" }), toHtml: () => "no" })',
    )
    expect(display.outputs.at(-1)?.content['data']).toMatchObject({ 'text/html': '<b>own</b>' })
    const html = await kernel.execute('({ toHtml: () => "<i>html</i>" })')
    expect(html.outputs.at(-1)?.content['data']).toMatchObject({ 'text/html': '<i>html</i>' })
    const broken = await kernel.execute('({ toHtml() { throw new Error("broken view") } })')
    expect(errorOf(broken)?.evalue).toBe('broken view')
  })
})

describe('imports', () => {
  it('of packages with an exports map, in a later cell too, with their types', async () => {
    expect(await run('import * as aq from "arquero"', 'aq.table({ a: [1, 2] }).numRows()')).toBe('2')
    expect(
      await run(
        'import { type ColumnTable, op } from "arquero"; let t: ColumnTable = aq.table({ a: [1] }); typeof op.sum',
        't.numCols()',
      ),
    ).toBe('1')
    const wrong = await kernel.execute('aq.table({ a: [1] }).numRow()')
    expect(errorOf(wrong)?.evalue).toContain("'numRow' does not exist")
  })

  it('of CommonJS packages by the names that their types say', async () => {
    expect(await run('import { satisfies } from "semver"; satisfies("1.2.3", "^1")')).toBe('true')
    expect(
      await run(
        'import fs, { existsSync } from "node:fs"; existsSync("package.json") && fs.existsSync("package.json")',
      ),
    ).toBe('true')
  })

  it('of the project’s own package by name, with its types, in a notebook outside of the clone too', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'elsewhere-'))
    const elsewhere = await KernelClient.start({ cwd: folder })
    await elsewhere.execute('import * as zs from "zerosearch"')
    expect(resultText(await elsewhere.execute('zs.exactMatch("a", ["a"])'))).toBe('1')
    expect(errorOf(await elsewhere.execute('zs.exactMatch(1, ["a"])'))?.evalue).toContain("'number' is not assignable")
    const { matches } = await elsewhere.request('complete_request', { code: 'zs.exactM', cursor_pos: 9 })
    expect((matches as string[])[0]).toBe('exactMatch')
    elsewhere.stop()
    rmSync(folder, { recursive: true })
  })

  it('of TypeScript files beside the notebook, as they are now, errors with their own lines', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'beside-'))
    const write = (name: string, text: string): void => writeFileSync(join(folder, name), text)
    write(
      'names.ts',
      'export interface Named { name: string }\nexport const greet = (who: Named): string => `hi ${who.name}`',
    )
    write(
      'lib.ts',
      "import { greet } from './names.js'\nimport * as aq from 'arquero'\ninterface Unused {\n  a: 1\n}\nexport const rows = (): number => aq.table({ a: [1] }).numRows()\nexport const hello = (n: string) => greet({ name: n })\nexport function fail(): never {\n  throw new Error('beside')\n}",
    )
    const beside = await KernelClient.start({ cwd: folder })
    const first = 'import { hello, rows, fail } from "./lib"; [hello("Ada"), rows()]'
    expect(resultText(await beside.execute(first))).toBe("[ 'hi Ada', 1 ]")
    const { traceback } = errorOf(await beside.execute('fail()'))!
    expect(traceback).toContain(`    at fail (${join(folder, 'lib.ts')}:9:9)`)
    expect(traceback).toContain(">  9 |   throw new Error('beside')")
    expect(errorOf(await beside.execute('hello(1)'))?.evalue).toContain("'number' is not assignable")
    await new Promise((resolve) => setTimeout(resolve, 20))
    write(
      'names.ts',
      'export interface Named { name: string }\nexport const greet = (who: Named): number => who.name.length',
    )
    expect(resultText(await beside.execute(first))).toBe('[ 3, 1 ]')
    expect(resultText(await beside.execute('hello("four").toFixed(1)'))).toBe("'4.0'")
    write('spin.ts', 'export function spin(): number {\n  let n = 0\n  for (;;) n++\n}')
    const id = await beside.send('execute_request', { code: 'import { spin } from "./spin"; await null; spin()' })
    await new Promise((resolve) => setTimeout(resolve, 1000))
    await beside.interrupt()
    expect((await beside.answer(id)).reply['traceback']).toContainEqual(
      expect.stringContaining(`at spin (${join(folder, 'spin.ts')}:3:`),
    )
    beside.stop()
    rmSync(folder, { recursive: true })
  }, 20_000)

  it('when they run, and require', async () => {
    expect(await run('const path = await import("node:path"); path.basename("/a/b")')).toBe("'b'")
    expect(await run('require("node:path").basename("/a/c")')).toBe("'c'")
    expect(await run('import.meta.dirname === process.cwd()')).toBe('true')
  })
})

describe('errors', () => {
  it('of types name cell, line and column, once', async () => {
    const answer = await kernel.execute('let n: number = 1\n  n = "x"')
    const { ename, traceback } = errorOf(answer)!
    expect(ename).toBe('TypeScriptError')
    expect(traceback).toEqual([
      expect.stringMatching(/^Cell \[\d+\]:2:3 - error TS2322: Type 'string' is not assignable/),
      '    n = "x"',
      '    ~',
    ])
    expect(answer.outputs.filter(({ type }) => type !== 'execute_input')).toHaveLength(1)
  })

  it('that are thrown name the places in the TypeScript of their cells, without frames of the kernel', async () => {
    const defined = await kernel.execute(
      'interface Long {\n  a: number\n}\nfunction fail(x: number): never {\n  throw new RangeError(`bad ${x}`)\n}',
    )
    const thrown = await kernel.execute('// a comment\nfail(3)')
    const count = (answer: typeof thrown): unknown => answer.reply['execution_count']
    expect(errorOf(thrown)).toMatchObject({ ename: 'RangeError', evalue: 'bad 3' })
    expect(errorOf(thrown)!.traceback).toEqual([
      'RangeError: bad 3',
      '  3 | }',
      '  4 | function fail(x: number): never {',
      '> 5 |   throw new RangeError(`bad ${x}`)',
      '    |         ^',
      '  6 | }',
      `    at fail (Cell [${String(count(defined))}]:5:9)`,
      expect.stringMatching(`^    at Cell \\[${String(count(thrown))}\\]:2:\\d+$`),
    ])
  })

  it('after an await, in a loop, and of rejected promises too', async () => {
    const looped = await kernel.execute('for (const i of [1])\n  await Promise.reject(new TypeError("in a loop"))')
    expect(errorOf(looped)!.traceback).toContainEqual(expect.stringMatching(/^ {4}at Cell \[\d+\]:2:24/))
  })

  it('of packages name the cell’s line that called them, what else they say, and their causes, without stray braces', async () => {
    const read = await kernel.execute('import { readFileSync } from "node:fs"\nreadFileSync("/nowhere")')
    expect(errorOf(read)!.traceback).toEqual([
      "Error: ENOENT: no such file or directory, open '/nowhere'",
      '  1 | import { readFileSync } from "node:fs"',
      '> 2 | readFileSync("/nowhere")',
      '    |             ^',
      expect.stringMatching(/^ {4}at Cell \[\d+\]:2:13$/),
      '    errno: -2',
      "    code: 'ENOENT'",
      "    syscall: 'open'",
      "    path: '/nowhere'",
    ])
    const built = await kernel.execute('import * as zs from "zerosearch"; zs.slider({ min: 2, max: 1 })')
    const { traceback } = errorOf(built)!
    expect(traceback[0]).toContain('min must be below max')
    expect(traceback.join('\n')).not.toMatch(/dist\/|node_modules|node:/)
    expect(traceback.at(-1)).toMatch(/^ {4}at Cell \[\d+\]:1:38$/)
    const caused = await kernel.execute('throw new Error("outer", { cause: new TypeError("inner") })')
    expect(errorOf(caused)!.traceback).toContain('Caused by: TypeError: inner')
  })

  it('of a long line show the part of it that matters', async () => {
    const { traceback } = errorOf(
      await kernel.execute(`/*${'a'.repeat(5000)}*/ (null as any).x; /*${'b'.repeat(5000)}*/`),
    )!
    const [line, mark] = [traceback[1]!, traceback[2]!]
    expect(line.length).toBeLessThan(200)
    expect(line[mark.indexOf('^')]).toBe('x')
    const wrong = errorOf(await kernel.execute(`/*${'a'.repeat(5000)}*/ nowhere; /*${'b'.repeat(5000)}*/`))!.traceback
    expect(wrong.slice(1)).toEqual([
      expect.stringMatching(/^ {2}a+\*\/ nowhere; \/\*b+$/),
      expect.stringMatching(/^ +~{7}$/),
    ])
    expect(wrong[1]!.indexOf('nowhere')).toBe(wrong[2]!.indexOf('~'))
  })

  it('of IPython’s syntax say how it is done here', async () => {
    const said = async (code: string): Promise<unknown> => errorOf(await kernel.execute(code))?.traceback
    expect(await said('%timeit f()')).toEqual([expect.stringContaining('console.time(')])
    expect(await said('%pip install arquero')).toEqual([expect.stringContaining('npm install arquero')])
    expect(await said('!ls -l')).toEqual([expect.stringContaining('.execSync("ls -l", ')])
    expect(await said('console.log?')).toEqual([expect.stringContaining('Shift+Tab')])
    expect(await run('!true')).toBe('false')
  })

  it('of an import that needs a browser say so, and what to do', async () => {
    const { evalue, traceback } = errorOf(await kernel.execute('import Plotly from "plotly.js"'))!
    expect(evalue).toMatch(/^import: plotly\.js runs only in a browser; .*\{ data: .*layout/)
    expect(traceback.join('\n')).not.toContain('node_modules')
  })

  it('that are no Error, constants assigned to, and a name that is nowhere', async () => {
    expect(errorOf(await kernel.execute('throw "text"'))).toMatchObject({ ename: 'Thrown', evalue: 'text' })
    await kernel.execute('const fixed = 1')
    expect(errorOf(await kernel.execute('fixed = 2'))?.traceback[0]).toContain(
      "Cannot assign to 'fixed' because it is a constant.",
    )
    expect(errorOf(await kernel.execute('nowhere'))?.traceback[0]).toContain("Cannot find name 'nowhere'")
  })

  it('that nobody awaits, and process.exit, leave the kernel alive', async () => {
    const answer = await kernel.execute(
      'void Promise.reject(new Error("nobody")); setTimeout(() => { throw new Error("in a timer") }, 5); await new Promise((r) => setTimeout(r, 60))',
    )
    expect(streamText(answer, 'stderr')).toMatch(/Uncaught Error: nobody[^]*Uncaught Error: in a timer/)
    expect(errorOf(await kernel.execute('process.exit(0)'))?.evalue).toContain("a cell can't end the kernel")
    expect(await run('1 + 1')).toBe('2')
  })
})
