import { join } from 'node:path'
import type { Declarations } from './declarations.js'
import { GLOBALS } from './globals.js'
import disk from './disk.cjs'
import ts from './typescript.cjs'

const { HOME, OPTIONS } = disk

/**
 * TypeScript's view of the current cell: the cell's text in one virtual file, earlier cells as modules beside it, and
 * everything on disk as it was first read.
 */
export class CellProgram {
  readonly file: string
  readonly globals: string
  readonly #declarations: Declarations
  readonly #folder: string
  /** The virtual ones. */
  readonly #files = new Map<string, ts.SourceFile>()
  readonly #host: ts.CompilerHost
  #program: ts.Program | undefined
  #text = ''
  #version = 0

  constructor(folder: string, declarations: Declarations) {
    this.#folder = folder
    this.#declarations = declarations
    this.file = `${folder}/__cell__.ts`
    this.globals = `${folder}/__jupyter__.d.ts`
    this.#host = this.#createHost()
  }

  /** Sets the cell's text and returns the program that holds it. */
  update(text: string): ts.Program {
    if (text !== this.#text || !this.#program || disk.hasChanged()) {
      this.#text = text
      this.#version++
      this.#files.delete(this.file)
      this.#program = ts.createProgram({
        rootNames: [this.globals, this.file],
        options: OPTIONS,
        host: this.#host,
        ...(this.#program && { oldProgram: this.#program }),
      })
    }
    return this.#program
  }

  /** For completion and hover: the language service over the same files, parsed once. */
  languageService(): ts.LanguageService {
    const host = this.#host
    const version = (file: string): string => (file === this.file ? String(this.#version) : disk.versionOf(file))
    const acquire = (file: string): ts.SourceFile => {
      const source = host.getSourceFile(file, OPTIONS.target!)!
      return Object.assign(source, {
        version: version(file),
        scriptSnapshot: ts.ScriptSnapshot.fromString(source.text),
      })
    }
    const registry = {
      acquireDocument: acquire,
      acquireDocumentWithKey: acquire,
      updateDocument: acquire,
      updateDocumentWithKey: acquire,
      getKeyForCompilationSettings: () => 'cells',
      releaseDocument: () => undefined,
      releaseDocumentWithKey: () => undefined,
      reportStats: () => '',
    } as unknown as ts.DocumentRegistry
    return ts.createLanguageService(
      {
        getCompilationSettings: () => OPTIONS,
        getScriptFileNames: () => [this.globals, this.file],
        getScriptVersion: version,
        getScriptSnapshot: (file) => {
          const text = host.getSourceFile(file, OPTIONS.target!)?.text
          return text === undefined ? undefined : ts.ScriptSnapshot.fromString(text)
        },
        getCurrentDirectory: () => this.#folder,
        getDefaultLibFileName: (options) => ts.getDefaultLibFilePath(options),
        fileExists: (file) => host.fileExists(file),
        readFile: (file) => host.readFile(file),
        directoryExists: (folder) => ts.sys.directoryExists(folder),
        getDirectories: (folder) => ts.sys.getDirectories(folder),
        readDirectory: (...query) => ts.sys.readDirectory(...query),
        resolveModuleNameLiterals: host.resolveModuleNameLiterals!.bind(host),
      },
      registry,
    )
  }

  #virtual(file: string): string | undefined {
    if (file === this.file) return this.#text
    return file === this.globals ? GLOBALS : this.#declarations.text(file)
  }

  #createHost(): ts.CompilerHost {
    const read = (file: string): string | undefined => this.#virtual(file) ?? disk.host.readFile(file)
    return {
      ...disk.host,
      getSourceFile: (file, target) => {
        const text = this.#virtual(file)
        if (text === undefined) return disk.host.getSourceFile(file, target)
        const source = this.#files.get(file) ?? ts.createSourceFile(file, text, target, file === this.file)
        this.#files.set(file, source)
        return source
      },
      getCurrentDirectory: () => this.#folder,
      fileExists: (file) => this.#virtual(file) !== undefined || disk.host.fileExists(file),
      readFile: read,
      resolveModuleNameLiterals: (literals, file, redirected, options, source) => {
        if (this.#virtual(file) === undefined)
          return disk.host.resolveModuleNameLiterals!(literals, file, redirected, options, source, undefined)
        return literals.map((literal) => {
          const mode = ts.getModeForUsageLocation(source, literal, options)
          const resolve = (from: string): ts.ResolvedModuleWithFailedLookupLocations =>
            ts.resolveModuleName(literal.text, from, options, this.#host, undefined, redirected, mode)
          const found = resolve(file)
          return found.resolvedModule ? found : resolve(join(HOME, '__cell__.ts'))
        })
      },
    }
  }
}
