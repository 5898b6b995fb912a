import ts from './typescript.cjs'
import { analyse, applyEdits } from './analysis.js'
import type { Declarations } from './declarations.js'
import type { CellProgram } from './program.js'

/** One completion, as JupyterLab lists it. Offsets count UTF-16 units of the code. */
export interface Completion {
  text: string
  /** "function", "property", … */
  type: string
  signature: string
}

export interface Completions {
  start: number
  end: number
  items: Completion[]
}

/** Details take time; the first ones of the list have them. */
const DETAILED = 40

/** What an editor asks TypeScript: completion, hover, signatures. The cell sees all names of earlier cells. */
export class Language {
  readonly #program: CellProgram
  readonly #declarations: Declarations
  #service: ts.LanguageService | undefined

  constructor(program: CellProgram, declarations: Declarations) {
    this.#program = program
    this.#declarations = declarations
  }

  complete(code: string, cursor: number): Completions {
    const { service, shift } = this.#open(code)
    const { file } = this.#program
    const word = /[\p{ID_Continue}$]*$/u.exec(code.slice(0, cursor))![0]
    const rest = /^[\p{ID_Continue}$]*/u.exec(code.slice(cursor))![0]
    const span = { start: cursor - word.length, end: cursor + rest.length }
    const found = service.getCompletionsAtPosition(file, cursor + shift, {
      includeCompletionsWithInsertText: false,
      includeSymbol: true,
    })
    if (!found) return { start: cursor, end: cursor, items: [] }
    const replaced = found.optionalReplacementSpan
    if (replaced) Object.assign(span, { start: replaced.start - shift, end: replaced.start - shift + replaced.length })
    const typed = code.slice(span.start, cursor)
    const entries = found.entries
      .map((entry) => ({ entry, rank: rankOf(entry.name, typed) }))
      .filter(({ rank, entry }) => rank < 3 && !entry.name.startsWith('__cell'))
      .sort(
        (a, b) => a.rank - b.rank || compare(a.entry.sortText, b.entry.sortText) || compare(a.entry.name, b.entry.name),
      )
    const checker = service.getProgram()!.getTypeChecker()
    const items = entries.map(({ entry: { name, kind, source, symbol } }, i) => {
      if (i >= DETAILED) return { text: name, type: kindOf(kind), signature: '' }
      const details = service.getCompletionEntryDetails(file, cursor + shift, name, {}, source, {}, undefined)
      return { text: name, type: kindOf(kind, symbol, checker), signature: textOf(details?.displayParts) }
    })
    return { ...span, items }
  }

  /**
   * What is at the cursor: its type and documentation, as Markdown; in the arguments of a call, the call's signatures.
   * @param withSource also where and how it is declared
   */
  inspect(code: string, cursor: number, withSource: boolean): string | undefined {
    const { service, shift } = this.#open(code)
    const { file } = this.#program
    const info = [cursor, cursor - 1]
      .map((offset) => (offset < 0 ? undefined : service.getQuickInfoAtPosition(file, offset + shift)))
      // A bare "any" is what TypeScript says of a name that it doesn't know.
      .find((found) => found && ts.displayPartsToString(found.displayParts) !== 'any')
    if (!info) return signatures(service.getSignatureHelpItems(file, cursor + shift, undefined))
    const parts = ['```typescript', textOf(info.displayParts), '```', '', ts.displayPartsToString(info.documentation)]
    for (const tag of info.tags ?? []) parts.push('', `*@${tag.name}* ${ts.displayPartsToString(tag.text)}`)
    if (withSource) parts.push(...this.#source(service, info.textSpan.start))
    return parts.join('\n').trim()
  }

  #source(service: ts.LanguageService, position: number): string[] {
    const [definition] = service.getDefinitionAtPosition(this.#program.file, position) ?? []
    const text = definition && service.getProgram()?.getSourceFile(definition.fileName)?.text
    if (!text || !definition.contextSpan) return []
    const { start, length } = definition.contextSpan
    return ['', '```typescript', text.slice(start, start + length), '```']
  }

  #open(code: string): { service: ts.LanguageService; shift: number } {
    const { declared, checkEdits } = analyse(code)
    const earlier = this.#declarations.known().filter((name) => !declared.has(name))
    const prefix = this.#declarations.scope(earlier)
    this.#program.update(prefix + applyEdits(code, checkEdits))
    this.#service ??= this.#program.languageService()
    return { service: this.#service, shift: prefix.length }
  }
}

/** Names that start with what was typed come first, then those that hold it. */
function rankOf(name: string, typed: string): number {
  if (name.startsWith(typed)) return 0
  const [lowerName, lowerTyped] = [name.toLowerCase(), typed.toLowerCase()]
  if (lowerName.startsWith(lowerTyped)) return 1
  return lowerName.includes(lowerTyped) ? 2 : 3
}

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)

/** A declaration as TypeScript shows it, without its marks of where a name comes from. */
const textOf = (parts: ts.SymbolDisplayPart[] | undefined): string =>
  ts
    .displayPartsToString(parts)
    .replace(/^(?:\((?:alias|method|property)\) )+/, '')
    .replace(/\n(?:import|export) [^\n]+$/, '')

/** JupyterLab has icons for these words. A name that can be called is a function, however it was declared. */
function kindOf(kind: ts.ScriptElementKind, symbol?: ts.Symbol, checker?: ts.TypeChecker): string {
  const target = symbol && checker && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
  if (target && checker && target.flags & ts.SymbolFlags.Value) {
    const type = checker.getTypeOfSymbol(target)
    if (type.getConstructSignatures().length > 0) return 'class'
    if (type.getCallSignatures().length > 0) return 'function'
    if (kind === ts.ScriptElementKind.alias && !(target.flags & ts.SymbolFlags.Module)) return 'variable'
  }
  const kinds: Record<string, string> = {
    method: 'function',
    'local function': 'function',
    const: 'variable',
    let: 'variable',
    var: 'variable',
    parameter: 'variable',
    getter: 'property',
    setter: 'property',
    type: 'class',
    alias: 'module',
  }
  return kinds[kind] ?? kind
}

function signatures(help: ts.SignatureHelpItems | undefined): string | undefined {
  if (!help) return undefined
  const items = help.items.map((item) => {
    const text = ts.displayPartsToString
    const parameters = item.parameters
      .map((parameter) => text(parameter.displayParts))
      .join(text(item.separatorDisplayParts))
    return `\`\`\`typescript\n${text(item.prefixDisplayParts)}${parameters}${text(item.suffixDisplayParts)}\n\`\`\`\n\n${text(item.documentation)}`
  })
  return items.join('\n\n').trim()
}

/** Answers `is_complete_request`: whether a console should run the code or wait for more lines. */
export function isComplete(
  code: string,
): { status: 'complete' | 'invalid' } | { status: 'incomplete'; indent: string } {
  const source = ts.createSourceFile(
    'cell.ts',
    code,
    ts.ScriptTarget.Latest,
    false,
    ts.ScriptKind.TS,
  ) as ts.SourceFile & { parseDiagnostics: ts.Diagnostic[] }
  if (source.parseDiagnostics.length === 0) return { status: 'complete' }
  const end = code.trimEnd().length
  const UNTERMINATED = [1160, 1010] // a template, a comment
  const openAtEnd = source.parseDiagnostics.some(
    (error) => (error.start ?? 0) >= end || UNTERMINATED.includes(error.code),
  )
  const wrongBefore = source.parseDiagnostics.some(
    (error) => (error.start ?? 0) < end && !UNTERMINATED.includes(error.code),
  )
  if (!openAtEnd || wrongBefore) return { status: 'invalid' }
  const line = code.slice(code.lastIndexOf('\n') + 1)
  const indent = /^\s*/.exec(line)![0]
  return { status: 'incomplete', indent: /[{([]\s*$/.test(line) ? `${indent}  ` : indent }
}
