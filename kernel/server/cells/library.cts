// What every check of a cell stands on: TypeScript's options, and the library's files, read once.
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

/** By their paths. */
function readLibrary(): ReadonlyMap<string, ts.SourceFile> {
  const host = ts.createCompilerHost(OPTIONS)
  const program = ts.createProgram({ rootNames: [path.join(TYPES, 'node', 'index.d.ts')], options: OPTIONS, host })
  // The checker enters every name of every file into the files' tables, once for all programs.
  program.getGlobalDiagnostics()
  return new Map(program.getSourceFiles().map((file) => [file.fileName, file]))
}

export = { HOME, OPTIONS, files: readLibrary() }
