// What every check of a cell stands on: TypeScript's options, and the files on disk, packages as they were first read, the user's own as they are.
import path = require('node:path')
import ts = require('./typescript.cjs')

/** The project that this kernel is part of: its packages are there for notebooks anywhere, after the notebook's own. */
const HOME = path.resolve(__dirname, '../../..')
const TYPES = path.join(HOME, 'node_modules', '@types')

const OPTIONS: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  moduleResolution: ts.ModuleResolutionKind.Bundler,
  lib: ['lib.es2023.d.ts', 'lib.esnext.disposable.d.ts', 'lib.esnext.collection.d.ts', 'lib.esnext.iterator.d.ts'],
  types: ['node'],
  typeRoots: [TYPES],
  // As tslab: a notebook is a place to try things out.
  strict: false,
  esModuleInterop: true,
  experimentalDecorators: true,
  resolveJsonModule: true,
  allowImportingTsExtensions: true,
  skipLibCheck: true,
  declaration: true,
  noErrorTruncation: true,
  noEmitOnError: false,
}

const libraryFolder = path.dirname(ts.getDefaultLibFilePath(OPTIONS))
const files = new Map<string, ts.SourceFile>()
/** When the user's own files were changed last; packages and the library don't change. */
const stamps = new Map<string, number>()
const isOwn = (file: string): boolean => !file.includes('/node_modules/') && !file.startsWith(path.join(HOME, 'dist'))
const stampOf = (file: string): number => ts.sys.getModifiedTime!(file)?.getTime() ?? 0

/** Whether one of the user's own files is no longer as it was read. */
function hasChanged(): boolean {
  return [...stamps].some(([file, stamp]) => stampOf(file) !== stamp)
}

/** Of a file's text, as it is now known. */
function versionOf(file: string): string {
  return String(stamps.get(file) ?? 1)
}

const imports = new Map<string, readonly ts.ResolvedModuleWithFailedLookupLocations[]>()
const resolutions = ts.createModuleResolutionCache(HOME, (name) => name, OPTIONS)

/** What is there stays; what isn't may come. */
function known(exists: (path: string) => boolean): (path: string) => boolean {
  const seen = new Set<string>()
  return (path) => seen.has(path) || (exists(path) && Boolean(seen.add(path)))
}

const host: ts.CompilerHost = {
  getSourceFile: (file, target) => {
    const stamp = isOwn(file) ? stampOf(file) : undefined
    const before = stamps.get(file) === stamp ? files.get(file) : undefined
    const text = before ? undefined : ts.sys.readFile(file)
    if (text === undefined) return before
    const source = ts.createSourceFile(file, text, target)
    files.set(file, source)
    if (stamp !== undefined) stamps.set(file, stamp)
    return source
  },
  getDefaultLibFileName: (options) => path.join(libraryFolder, ts.getDefaultLibFileName(options)),
  getDefaultLibLocation: () => libraryFolder,
  getCurrentDirectory: () => HOME,
  getCanonicalFileName: (file) => file,
  useCaseSensitiveFileNames: () => true,
  getNewLine: () => '\n',
  fileExists: known((file) => ts.sys.fileExists(file)),
  readFile: (file) => ts.sys.readFile(file),
  writeFile: () => undefined,
  directoryExists: known((folder) => ts.sys.directoryExists(folder)),
  getDirectories: (folder) => ts.sys.getDirectories(folder),
  realpath: (path) => ts.sys.realpath!(path),
  getModuleResolutionCache: () => resolutions,
  resolveModuleNameLiterals: (literals, file, redirected, _, source) => {
    const before = imports.get(file)
    if (before) return before
    const found = literals.map((literal) => {
      const mode = ts.getModeForUsageLocation(source, literal, OPTIONS)
      return ts.resolveModuleName(literal.text, file, OPTIONS, host, resolutions, redirected, mode)
    })
    if (!isOwn(file)) imports.set(file, found)
    return found
  },
}

// Here the checker enters every name of the library into the files' tables, once for all programs.
ts.createProgram({ rootNames: [path.join(TYPES, 'node', 'index.d.ts')], options: OPTIONS, host }).getGlobalDiagnostics()

export = { HOME, OPTIONS, host, hasChanged, versionOf }
