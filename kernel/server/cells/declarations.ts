import type { Meaning } from './analysis.js'

/** A cell that ran, as later cells see it: a module of declarations. */
interface CellModule {
  file: string
  text: string
}

/** Which cell declared a name last, and as what. */
interface Owner {
  module: CellModule
  meaning: Meaning
}

/**
 * What earlier cells declared. Each cell is a module of its own, and a cell imports the names that it uses from the cells
 * that declared them last, so a cell costs the same after a thousand others.
 */
export class Declarations {
  readonly #owners = new Map<string, Owner>()
  readonly #modules = new Map<string, CellModule>()

  add(id: number, folder: string, text: string, names: ReadonlyMap<string, Meaning>, extension: '.d.ts' | '.ts'): void {
    const module = { file: `${folder}/__cell_${id}__${extension}`, text }
    this.#modules.set(module.file, module)
    for (const [name, meaning] of names) this.#owners.set(name, { module, meaning })
  }

  text(file: string): string | undefined {
    return this.#modules.get(file)?.text
  }

  /** Whether a name stands for something at run time. */
  isValue(name: string): boolean {
    return this.#owners.get(name)!.meaning !== 'type'
  }

  /** The names of `wanted` that earlier cells declared; all of them without `wanted`. */
  known(wanted?: Iterable<string>): string[] {
    if (!wanted) return [...this.#owners.keys()]
    return [...wanted].filter((name) => this.#owners.has(name))
  }

  /** The line before a cell's text: it brings names into its scope, and makes it a module. What may be assigned to is declared, not imported. */
  scope(names: readonly string[]): string {
    const byModule = new Map<string, string[]>()
    let line = ''
    for (const name of names) {
      const { module, meaning } = this.#owners.get(name)!
      const specifier = `./${module.file.slice(module.file.lastIndexOf('/') + 1).replace(/(\.d)?\.ts$/, '')}`
      if (meaning === 'variable') line += `declare let ${name}: typeof import(${JSON.stringify(specifier)}).${name};`
      else byModule.set(specifier, [...(byModule.get(specifier) ?? []), name])
    }
    for (const [specifier, imported] of byModule)
      line += `import { ${imported.join(', ')} } from ${JSON.stringify(specifier)};`
    return `${line}export {};\n`
  }
}
