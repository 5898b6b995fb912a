import { existsSync, readFileSync, statSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, resolve } from 'node:path'
import vm from 'node:vm'
import { applyEdits } from './analysis.js'
import disk from './disk.cjs'
import type { CompiledSource } from './sources.js'
import { STOP_NAMES, stopChecks } from './stop-checks.js'
import type { Stop } from './stop-checks.js'
import ts from './typescript.cjs'

interface SideModule {
  exports: Record<string, unknown>
  /** When the file was changed last. */
  stamp: number
  /** TypeScript files that it imports. */
  imports: Set<string>
}

const TARGET: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.CommonJS,
  esModuleInterop: true,
  experimentalDecorators: true,
  sourceMap: true,
}

/**
 * TypeScript files beside a notebook that its cells import by a path. They are compiled as they are read, and anew where
 * they, or files that they import, have changed since. Packages come to them as they come to cells.
 */
export class SideModules {
  readonly #sources: Map<string, CompiledSource>
  readonly #stop: Stop
  readonly #modules = new Map<string, SideModule>()

  /** @param sources is given each file that was compiled */
  constructor(sources: Map<string, CompiledSource>, stop: Stop) {
    this.#sources = sources
    this.#stop = stop
  }

  /** The file's exports; undefined where the specifier is no path of a TypeScript file. */
  import(specifier: string, from: string): Record<string, unknown> | undefined {
    const file = findFile(specifier, from)
    return file === undefined ? undefined : this.#load(file).exports
  }

  #load(file: string): SideModule {
    const known = this.#modules.get(file)
    if (known && this.#isFresh(file, new Set())) return known
    const module: SideModule = { exports: {}, stamp: statSync(file).mtimeMs, imports: new Set() }
    // Before it runs: files may import one another.
    this.#modules.set(file, module)
    const code = readFileSync(file, 'utf8')
    const edits = stopChecks(ts.createSourceFile(file, code, ts.ScriptTarget.Latest, true, ts.ScriptKind.TS))
    const { outputText, sourceMapText } = ts.transpileModule(`\n${applyEdits(code, edits)}`, {
      compilerOptions: TARGET,
      fileName: file,
    })
    this.#sources.set(file, { name: file, code, edits, map: sourceMapText!, lines: outputText.split('\n').length })
    const parameters = ['exports', 'require', '__filename', '__dirname', ...STOP_NAMES].join(', ')
    const run = vm.runInThisContext(`(function (${parameters}) {\n${outputText}\n})`, {
      filename: file,
      importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER,
    }) as (...scope: unknown[]) => void
    try {
      const { asked, now } = this.#stop
      run(module.exports, this.#requireOf(file, module), file, dirname(file), asked, now)
    } catch (error) {
      this.#modules.delete(file)
      throw error
    }
    return module
  }

  #requireOf(file: string, module: SideModule): (specifier: string) => unknown {
    const fromFile = createRequire(file)
    const home = createRequire(join(disk.HOME, '__cell__.js'))
    return (specifier) => {
      const side = findFile(specifier, file)
      if (side !== undefined) {
        module.imports.add(side)
        return this.#load(side).exports
      }
      try {
        return fromFile(specifier) as unknown
      } catch (error) {
        if ((error as { code?: string }).code !== 'MODULE_NOT_FOUND') throw error
        return home(specifier) as unknown
      }
    }
  }

  #isFresh(file: string, seen: Set<string>): boolean {
    if (seen.has(file)) return true
    seen.add(file)
    const module = this.#modules.get(file)
    if (!module || !existsSync(file) || statSync(file).mtimeMs !== module.stamp) return false
    return [...module.imports].every((other) => this.#isFresh(other, seen))
  }
}

/** As TypeScript finds a path: with its extension, with that of the compiled file, or without one. */
function findFile(specifier: string, from: string): string | undefined {
  if (!/^\.{0,2}\//.test(specifier)) return undefined
  const path = resolve(dirname(from), specifier)
  const candidates = /\.[cm]?ts$/.test(path)
    ? [path]
    : [path.replace(/\.([cm]?)js$/, '.$1ts'), `${path}.ts`, `${path}.mts`, join(path, 'index.ts')]
  return candidates.find((file) => file.endsWith('ts') && existsSync(file) && statSync(file).isFile())
}
