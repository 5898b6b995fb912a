import { readFile } from 'node:fs/promises'
import { errorMessage, isMissing } from './write-error.js'

/**
 * An object of JSON in which comments and trailing commas may stand, as in TypeScript's own configuration files.
 * @throws where there is no such file, or it is no such object, with line and column
 */
export async function readCommentedJson(path: string, what: string): Promise<Record<string, unknown>> {
  const place = `read ${what} ${path}`
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    const rule = isMissing(error) ? 'the file does not exist; check the path' : errorMessage(error)
    throw new Error(`${place}: ${rule}`, { cause: error })
  })
  // It takes a third of a second to load.
  const { default: ts } = await import('typescript')
  const { config, error } = ts.parseConfigFileTextToJson(path, text) as {
    config?: unknown
    error?: { start?: number; messageText: Parameters<typeof ts.flattenDiagnosticMessageText>[0] }
  }
  const source = ts.parseJsonText(path, text)
  const root = source.statements[0]?.expression
  if (!error && root && ts.isObjectLiteralExpression(root)) return config as Record<string, unknown>
  const isObject = !root || ts.isObjectLiteralExpression(root)
  const message =
    error && isObject ? ts.flattenDiagnosticMessageText(error.messageText, ' ') : 'An object must be here.'
  const { line, character } = source.getLineAndCharacterOfPosition(Math.min(error?.start ?? 0, text.length))
  throw new Error(`${place}, line ${line + 1}, column ${character + 1}: ${message}`)
}
