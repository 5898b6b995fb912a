import ts from './typescript.cjs'
import { applyEdits, hasModifier, importedNames, isUsing } from './analysis.js'
import type { Analysis, Edit } from './analysis.js'
import { stopChecks } from './stop-checks.js'

/** Property of the object of names that takes the value of a cell's last expression. */
export const LAST = '__last__'

const TARGET: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.CommonJS,
  experimentalDecorators: true,
  sourceMap: true,
  removeComments: true,
}

export interface RuntimeText {
  js: string
  /** Source map of `js`, to the text after `edits`, one line further down. */
  map: string
  edits: Edit[]
}

/**
 * The JavaScript of a cell. Names of the top level become properties of `exports`, one object for all cells: so a later
 * cell, and functions of earlier ones, see what a name holds now. Imports become `await import(…)`, by Node's own rules for
 * ES modules.
 * @param earlier names of earlier cells that the text uses
 * @param typesOnly imported names that stand for nothing at run time
 */
export function runtimeText(
  code: string,
  analysis: Analysis,
  earlier: readonly string[],
  typesOnly: ReadonlySet<string>,
): RuntimeText {
  const { source } = analysis
  const edits: Edit[] = []
  source.statements.forEach((statement, i) => {
    const start = statement.getStart(source)
    const { end } = statement
    if (ts.isImportDeclaration(statement)) {
      edits.push({ start, end, text: importText(statement, typesOnly) })
    } else if (ts.isExportDeclaration(statement)) {
      edits.push({ start, end, text: '' })
    } else if (ts.isExportAssignment(statement)) {
      edits.push({ start, end: statement.expression.getStart(source), text: `exports.${LAST} = ` })
    } else if (hasModifier(statement, ts.SyntaxKind.DefaultKeyword)) {
      const modifiers = ts.canHaveModifiers(statement) ? (ts.getModifiers(statement) ?? []) : []
      for (const modifier of modifiers)
        if (modifier.kind === ts.SyntaxKind.ExportKeyword || modifier.kind === ts.SyntaxKind.DefaultKeyword)
          edits.push({ start: modifier.getStart(source), end: modifier.end, text: '' })
    } else if (declares(statement) && !hasModifier(statement, ts.SyntaxKind.ExportKeyword)) {
      edits.push({ start, end: start, text: 'export ' })
    } else if (ts.isExpressionStatement(statement) && source.statements.slice(i + 1).every(declaresTypes)) {
      edits.push(
        { start, end: start, text: `exports.${LAST} = (` },
        { start: statement.expression.end, end: statement.expression.end, text: ')' },
      )
    }
  })
  const visit = (node: ts.Node): void => {
    if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword)
      edits.push({ start: node.expression.getStart(source), end: node.expression.end, text: '__import__' })
    if (ts.isMetaProperty(node) && node.keywordToken === ts.SyntaxKind.ImportKeyword)
      edits.push({ start: node.getStart(source), end: node.end, text: '__meta__' })
    ts.forEachChild(node, visit)
  }
  // Before the others: where both are at one place, a check comes first.
  edits.push(...stopChecks(source))
  visit(source)
  // Declared, not defined: they are read and written where earlier cells left them.
  const scope =
    earlier.length > 0 ? `export declare let ${earlier.map((name) => `${name}: any`).join(', ')};` : 'export {};'
  const { outputText, sourceMapText } = ts.transpileModule(`${scope}\n${applyEdits(code, edits)}`, {
    compilerOptions: TARGET,
    fileName: 'cell.ts',
    transformers: { after: [withoutPreamble] },
  })
  return { js: outputText.replace(/^\/\/# sourceMappingURL=.*$/m, ''), map: sourceMapText!, edits }
}

const declares = (statement: ts.Statement): boolean =>
  (ts.isVariableStatement(statement) && !isUsing(statement.declarationList)) ||
  ts.isFunctionDeclaration(statement) ||
  ts.isClassDeclaration(statement) ||
  ts.isEnumDeclaration(statement) ||
  ts.isModuleDeclaration(statement) ||
  ts.isImportEqualsDeclaration(statement)

const declaresTypes = (statement: ts.Statement): boolean =>
  ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement) || ts.isEmptyStatement(statement)

function importText(declaration: ts.ImportDeclaration, typesOnly: ReadonlySet<string>): string {
  const specifier = declaration.moduleSpecifier.getText()
  if (!declaration.importClause) return `await __import__(${specifier})`
  const names = importedNames(declaration).filter((name) => !typesOnly.has(name.local.text))
  if (names.length === 0) return ''
  const whole = names.find((name) => name.imported === '*')
  const others = names.filter((name) => name !== whole)
  const pattern = others.map((name) => `${name.imported}: ${name.local.text}`).join(', ')
  const module = whole ? whole.local.text : `await __import__(${specifier})`
  const parts = whole ? [`${whole.local.text} = await __import__(${specifier})`] : []
  if (others.length > 0) parts.push(`{ ${pattern} } = ${module}`)
  return `export const ${parts.join(', ')}`
}

/** Leaves out what is for modules alone: the mark of one, and the clearing of its names, which may be those of earlier cells. */
const withoutPreamble: ts.TransformerFactory<ts.SourceFile> = (context) => (file) => {
  const clears = (node: ts.Node): boolean =>
    ts.isBinaryExpression(node) ? clears(node.right) : ts.isVoidExpression(node) && node.pos < 0
  const marks = (node: ts.Node): boolean =>
    ts.isCallExpression(node) &&
    node.pos < 0 &&
    ts.isStringLiteral(node.arguments[1] ?? node) &&
    (node.arguments[1] as ts.StringLiteral).text === '__esModule'
  const statements = file.statements.filter(
    (statement) =>
      !(
        ts.isExpressionStatement(statement) &&
        statement.pos < 0 &&
        (clears(statement.expression) || marks(statement.expression))
      ),
  )
  return context.factory.updateSourceFile(file, statements)
}
