import { compileCell } from './compile-cell.js'
import type { Fault } from './compile-cell.js'
import { Declarations } from './declarations.js'
import { createModules } from './modules.js'
import { CellProgram } from './program.js'
import { SideModules } from './side-modules.js'
import { LAST } from './runtime-text.js'
import type { CompiledSource, Sources } from './sources.js'
import { STOP_NAMES, hideStopChecks } from './stop-checks.js'
import type { Stop } from './stop-checks.js'
import type { TslabConverter, TslabExecutor, loadTslab } from './tslab.js'

/** How a cell ended. */
export type CellEnd =
  | { status: 'ok'; value: unknown; hasValue: boolean }
  | { status: 'faults'; faults: Fault[] }
  | { status: 'thrown'; error: unknown }

/** The file name that stack frames of a cell show. */
export const cellFile = (id: number): string => `zerosearch-cell-${id}.ts`

/** Compiles and runs the cells of one notebook. */
export class Cells {
  readonly declarations = new Declarations()
  readonly program: CellProgram
  readonly #sources = new Map<string, CompiledSource>()
  /** What stack frames are traced back by. */
  readonly sources: Sources = this.#sources
  readonly #sides: SideModules
  /** Called when a cell is compiled and its code begins to run. */
  onRun: () => void = () => undefined
  readonly #names: Record<string, unknown> = {}
  readonly #folder: string
  readonly #executor: TslabExecutor
  #id = 0
  #count = 0
  #faults: Fault[] = []
  #thrown: { error: unknown } | undefined

  constructor(folder: string, tslab: Pick<ReturnType<typeof loadTslab>, 'createExecutor'>, stop: Stop) {
    this.#folder = folder
    this.#sides = new SideModules(this.#sources, stop)
    hideStopChecks()
    this.program = new CellProgram(folder, this.declarations)
    const modules = createModules(folder, this.#sides)
    const scope = { exports: this.#names, import: modules.import, meta: modules.meta, stop }
    Object.defineProperty(globalThis, '__cells__', { value: scope })
    const node: TslabConverter = { convert: (_, code) => this.#convert(code) }
    this.#executor = tslab.createExecutor(
      folder,
      { node, browser: node, close: () => undefined },
      { log: () => undefined, error: (error) => (this.#thrown = { error }) },
    )
  }

  /** @param count the number that the cell has in the notebook */
  async run(code: string, count: number): Promise<CellEnd> {
    this.#count = count
    this.#faults = []
    this.#thrown = undefined
    delete this.#names[LAST]
    const done = await this.#executor.execute(code)
    if (this.#faults.length > 0) return { status: 'faults', faults: this.#faults }
    const thrown = this.#thrown as { error: unknown } | undefined
    if (!done || thrown) return { status: 'thrown', error: thrown?.error }
    if (!(LAST in this.#names)) return { status: 'ok', value: undefined, hasValue: false }
    try {
      const value = await this.#names[LAST]
      return { status: 'ok', value, hasValue: value !== undefined }
    } catch (error) {
      return { status: 'thrown', error }
    }
  }

  /** Compiles ahead of the first cell, which then finds the library's types read. */
  warmUp(): void {
    compileCell('0', 0, this.#folder, this.program, this.declarations)
  }

  #convert(code: string): ReturnType<TslabConverter['convert']> {
    const id = ++this.#id
    const nothing = { diagnostics: [] as [], output: '', declOutput: '', hasToplevelAwait: false }
    const compiled = compileCell(code, id, this.#folder, this.program, this.declarations)
    this.#faults = compiled.faults
    if (!('js' in compiled)) return nothing
    const { js, map, edits, hasAwait } = compiled
    const lines = js.trimEnd().split('\n').length
    this.#sources.set(cellFile(id), { name: `Cell [${this.#count}]`, code, map, edits, lines })
    this.onRun()
    const [asked, now] = STOP_NAMES
    const scope = `exports = __cells__.exports; const __import__ = __cells__.import, __meta__ = __cells__.meta, ${asked} = __cells__.stop.asked, ${now} = __cells__.stop.now;`
    return { ...nothing, output: `${scope}\n${js}\n//# sourceURL=${cellFile(id)}\n`, hasToplevelAwait: hasAwait }
  }
}
