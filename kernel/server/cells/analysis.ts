import ts from './typescript.cjs'

/** What a name that a cell declares may be used as by later cells. */
export type Meaning = 'variable' | 'constant' | 'type' | 'other'

/** A replacement in the text of a cell. */
export interface Edit {
  start: number
  end: number
  text: string
}

/** What must be known of a cell's text before it is compiled. Positions are offsets into the text. */
export interface Analysis {
  /** Names declared at the top level. */
  declared: Map<string, Meaning>
  /** Declared names that are exported by the text itself. */
  exported: Set<string>
  /** Every identifier of the text, whatever it stands for. */
  identifiers: Set<string>
  /** For the check: blanks in place of lists of exports. */
  checkEdits: Edit[]
  /** Imports count: they become awaits. */
  hasAwait: boolean
  source: ts.SourceFile
}

export function analyse(code: string): Analysis {
  const source = ts.createSourceFile('cell.ts', code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS)
  const declared = new Map<string, Meaning>()
  const exported = new Set<string>()
  const identifiers = new Set<string>()
  const checkEdits: Edit[] = []
  let hasAwait = false

  const declare = (name: ts.BindingName, meaning: Meaning, isExported: boolean): void => {
    if (ts.isIdentifier(name)) {
      declared.set(name.text, meaning)
      if (isExported) exported.add(name.text)
      return
    }
    for (const element of name.elements) if (ts.isBindingElement(element)) declare(element.name, meaning, isExported)
  }
  for (const statement of source.statements) {
    const isExported = hasModifier(statement, ts.SyntaxKind.ExportKeyword)
    if (hasModifier(statement, ts.SyntaxKind.DefaultKeyword)) continue
    if (ts.isVariableStatement(statement)) {
      const { declarationList: list } = statement
      if (isUsing(list)) continue
      const meaning = list.flags & ts.NodeFlags.Const ? 'constant' : 'variable'
      for (const declaration of list.declarations) declare(declaration.name, meaning, isExported)
    } else if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
      declare(statement.name, declared.get(statement.name.text) ?? 'type', isExported)
    } else if (
      (ts.isFunctionDeclaration(statement) ||
        ts.isClassDeclaration(statement) ||
        ts.isEnumDeclaration(statement) ||
        (ts.isModuleDeclaration(statement) && ts.isIdentifier(statement.name) && statement.name.text !== 'global')) &&
      statement.name
    ) {
      declare(statement.name as ts.Identifier, 'other', isExported)
    } else if (ts.isImportDeclaration(statement)) {
      hasAwait = true
      for (const name of importedNames(statement)) declare(name.local, 'other', false)
    } else if (ts.isImportEqualsDeclaration(statement)) {
      declare(statement.name, 'other', isExported)
    } else if (ts.isExportDeclaration(statement) && !statement.moduleSpecifier) {
      const start = statement.getStart(source)
      checkEdits.push({ start, end: statement.end, text: code.slice(start, statement.end).replace(/[^\n]/g, ' ') })
    }
  }
  const visit = (node: ts.Node, inFunction: boolean): void => {
    if (ts.isIdentifier(node)) identifiers.add(node.text)
    if (!inFunction && isAwait(node)) hasAwait = true
    const inside = inFunction || ts.isFunctionLike(node) || ts.isClassStaticBlockDeclaration(node)
    ts.forEachChild(node, (child) => visit(child, inside))
  }
  visit(source, false)
  return { declared, exported, identifiers, checkEdits, hasAwait, source }
}

export const hasModifier = (node: ts.Node, kind: ts.SyntaxKind): boolean =>
  ts.canHaveModifiers(node) && (ts.getModifiers(node)?.some((modifier) => modifier.kind === kind) ?? false)

/** Of the flags `let`, `const`, `using` (a bit each) and `await using` (those of the last two), as numbers. */
const USING: number = ts.NodeFlags.Using
const AWAIT_USING: number = ts.NodeFlags.AwaitUsing

/** `using` and `await using`: what they name is disposed of at the cell's end, so later cells don't get it. */
export const isUsing = (list: ts.VariableDeclarationList): boolean => (list.flags & ts.NodeFlags.BlockScoped) >= USING

function isAwait(node: ts.Node): boolean {
  return (
    ts.isAwaitExpression(node) ||
    (ts.isForOfStatement(node) && node.awaitModifier !== undefined) ||
    (ts.isVariableDeclarationList(node) && (node.flags & ts.NodeFlags.BlockScoped) === AWAIT_USING)
  )
}

/** The names that an import declaration makes, but for those marked as types. */
export function importedNames(declaration: ts.ImportDeclaration): { local: ts.Identifier; imported: string }[] {
  const clause = declaration.importClause
  if (!clause) return []
  const names = clause.name ? [{ local: clause.name, imported: 'default' }] : []
  const bindings = clause.namedBindings
  if (bindings && ts.isNamespaceImport(bindings)) names.push({ local: bindings.name, imported: '*' })
  if (bindings && ts.isNamedImports(bindings))
    for (const element of bindings.elements)
      names.push({ local: element.name, imported: (element.propertyName ?? element.name).text })
  return names
}

export function applyEdits(text: string, edits: readonly Edit[]): string {
  let result = ''
  let end = 0
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    result += text.slice(end, edit.start) + edit.text
    end = edit.end
  }
  return result + text.slice(end)
}

/** The place in the text before the edits of a place after them; a place in inserted text is where the edit starts. */
export function originalOffset(edits: readonly Edit[], offset: number): number {
  let shift = 0
  for (const edit of [...edits].sort((a, b) => a.start - b.start)) {
    const start = edit.start + shift
    if (offset < start) break
    if (offset < start + edit.text.length) return edit.start
    shift += edit.text.length - (edit.end - edit.start)
  }
  return offset - shift
}
