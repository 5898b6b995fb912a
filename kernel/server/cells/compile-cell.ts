import ts from './typescript.cjs'
import { analyse, applyEdits, importedNames } from './analysis.js'
import type { Analysis } from './analysis.js'
import type { Declarations } from './declarations.js'
import type { CellProgram } from './program.js'
import { runtimeText } from './runtime-text.js'
import type { RuntimeText } from './runtime-text.js'

/** A fault that TypeScript found, at a place in the cell's text; lines and columns count from 1. */
export interface Fault {
  line: number
  column: number
  length: number
  code: number
  message: string
}

export interface CompiledCell extends RuntimeText {
  faults: []
  hasAwait: boolean
}

/** What TypeScript says of an assignment to an import; for a constant of an earlier cell it's the wrong words. */
const ASSIGNED_IMPORT = 2632
const ASSIGNED_CONSTANT = 2588

/** Checks a cell against the earlier ones and compiles it. What it declares is known to later cells from then on. */
export function compileCell(
  code: string,
  id: number,
  folder: string,
  program: CellProgram,
  declarations: Declarations,
): CompiledCell | { faults: Fault[] } {
  const analysis = analyse(code)
  const earlier = declarations.known(analysis.identifiers).filter((name) => !analysis.declared.has(name))
  const prefix = declarations.scope(earlier)
  const names = [...analysis.declared.keys()].filter((name) => !analysis.exported.has(name))
  const suffix = names.length > 0 ? `\nexport { ${names.join(', ')} };` : ''
  const checked = program.update(prefix + applyEdits(code, analysis.checkEdits) + suffix)
  const source = checked.getSourceFile(program.file)!

  const syntactic = checked.getSyntacticDiagnostics(source)
  const diagnostics = syntactic.length > 0 ? syntactic : checked.getSemanticDiagnostics(source)
  const errors = diagnostics.filter((diagnostic) => diagnostic.category === ts.DiagnosticCategory.Error)
  if (errors.length > 0) return { faults: errors.map((error) => fault(error, analysis.source, prefix.length)) }

  const typesOnly = namesOfTypes(checked.getTypeChecker(), source)
  if (analysis.declared.size > 0) {
    let text = source.text
    let extension: '.d.ts' | '.ts' = '.ts'
    // What can't be written down as declarations is kept as it is: its types are found anew where they are needed.
    if (checked.getDeclarationDiagnostics(source).length === 0) {
      extension = '.d.ts'
      checked.emit(source, (_, output) => (text = output), undefined, true)
    }
    declarations.add(id, folder, text, analysis.declared, extension)
  }
  return {
    faults: [],
    hasAwait: analysis.hasAwait,
    ...runtimeText(
      code,
      analysis,
      earlier.filter((name) => declarations.isValue(name)),
      typesOnly,
    ),
  }
}

function fault(error: ts.Diagnostic, source: Analysis['source'], shift: number): Fault {
  const offset = Math.min(Math.max(0, (error.start ?? 0) - shift), source.text.length)
  const { line, character } = source.getLineAndCharacterOfPosition(offset)
  const place = { line: line + 1, column: character + 1, length: error.length ?? 1 }
  if (error.code === ASSIGNED_IMPORT) {
    const name = source.text.slice(offset, offset + place.length)
    return { ...place, code: ASSIGNED_CONSTANT, message: `Cannot assign to '${name}' because it is a constant.` }
  }
  return { ...place, code: error.code, message: ts.flattenDiagnosticMessageText(error.messageText, '\n') }
}

/** What could not be resolved has no flags, and may well be a value. */
const isOnlyType = ({ flags }: ts.Symbol): boolean => Boolean(flags) && !(flags & ts.SymbolFlags.Value)

/** Imported names that have no value: interfaces, types. */
function namesOfTypes(checker: ts.TypeChecker, source: ts.SourceFile): Set<string> {
  const types = new Set<string>()
  for (const statement of source.statements) {
    if (!ts.isImportDeclaration(statement)) continue
    const onlyTypes = statement.importClause?.isTypeOnly ?? false
    for (const { local } of importedNames(statement)) {
      const symbol = checker.getSymbolAtLocation(local)
      const target = symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol
      const marked = ts.isImportSpecifier(local.parent) && local.parent.isTypeOnly
      if (onlyTypes || marked || (target && isOnlyType(target))) types.add(local.text)
    }
  }
  return types
}
