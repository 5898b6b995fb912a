// The examples of the reference: each compiles against the public interface as a cell would, and every function has one.
import { readFileSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const index = join(root, 'src/index.ts')

/** What examples use without making it: values that earlier cells of a notebook hold. */
const PRELUDE = `
import type * as zs from 'zerosearch'
declare global {
  const policy: zs.LocalModel
  const model: zs.LocalModel
  const simulator: zs.Simulator
  const engine: zs.SearchEngine
  const question: zs.Question
  const questions: zs.Question[]
  const trajectory: zs.Trajectory
  const examples: zs.TextExample[]
  const methods: zs.Method[]
  const scores: zs.Score[]
  const records: zs.UpdateRecord[]
}
`

interface Example {
  /** Of the file that stands for it: unique, and says where it comes from. */
  name: string
  code: string
}

/** The `@example` blocks of a source text, without the comment's stars. */
function examplesOf(path: string): Example[] {
  const comments = [...readFileSync(path, 'utf8').matchAll(/^ *\/\*\*\n(?: *\*(?!\/).*\n)+ *\*\/$/gm)]
  const blocks = comments.flatMap(({ 0: comment, index: place }) => {
    const lines = comment.split('\n').map((line) => line.replace(/^ *\*(?: |$)/, ''))
    const text = lines.slice(1, -1).join('\n')
    const found = [...text.matchAll(/^@example\n((?:(?!@\w).*(?:\n|$))*)/gm)]
    return found.map(({ 1: code }) => ({ code: code!.trim(), place }))
  })
  return blocks.map(({ code, place }) => ({ name: `${path}-${place}.example.ts`, code }))
}

const sources = readdirSync(join(root, 'src'), { recursive: true, encoding: 'utf8' })
const examples = sources.filter((name) => name.endsWith('.ts')).flatMap((name) => examplesOf(join(root, 'src', name)))

const prelude = join(root, 'src/prelude.example.ts')
const mistake = { name: join(root, 'src/mistake.example.ts'), code: 'await zs.rollOut(policy, questions)' }

/** The project's compiler on the examples, each a module of its own, with only what the checks ask for computed. */
function createProgram(): ts.Program {
  const { config } = ts.readConfigFile(join(root, 'tsconfig.json'), (path) => ts.sys.readFile(path)) as {
    config: object
  }
  const { options } = ts.parseJsonConfigFileContent(config, { ...ts.sys, readDirectory: () => [] }, root)
  // As in cells, which are not held to `questions[0]` being perhaps undefined.
  Object.assign(options, { noUncheckedIndexedAccess: false, paths: { zerosearch: [index] } })
  const virtual = new Map([[prelude, PRELUDE]])
  for (const { name, code } of [...examples, mistake])
    virtual.set(name, `import * as zs from 'zerosearch'\n${code}\nexport {}\n`)
  const host = ts.createCompilerHost(options)
  const fileExists = host.fileExists.bind(host)
  const readFile = host.readFile.bind(host)
  const getSourceFile = host.getSourceFile.bind(host)
  host.fileExists = (path) => virtual.has(path) || fileExists(path)
  host.readFile = (path) => virtual.get(path) ?? readFile(path)
  host.getSourceFile = (path, language, ...rest) =>
    virtual.has(path) ? ts.createSourceFile(path, virtual.get(path)!, language) : getSourceFile(path, language, ...rest)
  return ts.createProgram([index, ...virtual.keys()], options, host)
}

const program = createProgram()

/** What the compiler says about one of the files that stand for examples. */
function faultsOf(name: string): string[] {
  const file = program.getSourceFile(name)!
  const faults = [...program.getSyntacticDiagnostics(file), ...program.getSemanticDiagnostics(file)]
  return faults.map(({ messageText, start }) => {
    const line = file.text.slice(start).split('\n')[0]
    return `${name}: ${ts.flattenDiagnosticMessageText(messageText, '\n')} at ${line}`
  })
}

describe('the examples of the reference', () => {
  it('compile', () => {
    expect(examples.length).toBeGreaterThan(40)
    expect(faultsOf(prelude)).toEqual([])
    expect(examples.flatMap(({ name }) => faultsOf(name))).toEqual([])
  })

  it('would be refused with a mistake', () => {
    expect(faultsOf(mistake.name)).toEqual([expect.stringContaining('rollOut(policy, questions)')])
  })

  it('are there for every function', () => {
    const checker = program.getTypeChecker()
    const exportsOf = (symbol: ts.Symbol): ts.Symbol[] =>
      checker.getExportsOfModule(symbol).flatMap((exported) => {
        const target = exported.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(exported) : exported
        return target.flags & ts.SymbolFlags.ValueModule ? exportsOf(target) : [target]
      })
    const functions = exportsOf(checker.getSymbolAtLocation(program.getSourceFile(index)!)!).filter(
      ({ flags }) => flags & ts.SymbolFlags.Function,
    )
    const without = functions.filter((each) => !each.getJsDocTags(checker).some(({ name }) => name === 'example'))
    expect(functions.length).toBeGreaterThan(40)
    expect(without.map(({ name }) => name)).toEqual([])
  })
})
