import { createRequire } from 'node:module'

/** Of tslab 1.0.22's dist/, what this kernel stands on. `test/kernel/tslab.test.ts` says which of it broke. */
export interface TslabExecutor {
  /** Converts and runs a cell; true where it ran to its end. What it throws goes to `console.error`. */
  execute(code: string): Promise<boolean>
}

export interface TslabConverter {
  convert(
    previous: string,
    code: string,
  ): { diagnostics: []; output: string; declOutput: string; hasToplevelAwait: boolean }
}

interface TslabModules {
  createExecutor: (
    root: string,
    converters: { node: TslabConverter; browser: TslabConverter; close(): void },
    console: { log(value: unknown): void; error(...values: unknown[]): void },
  ) => TslabExecutor
  /** tslab's own `display` writes through its property `lastWriteDisplayData`. */
  jupyter: { lastWriteDisplayData?: (content: TslabDisplay, update: boolean) => void }
}

export interface TslabDisplay {
  data: Record<string, unknown>
  metadata: Record<string, unknown>
  transient?: { display_id?: string }
}

/**
 * tslab, on the current TypeScript instead of its own fork of 5.0.4: that reads neither `exports` maps nor today's library
 * types, and checks every earlier cell anew. So its converter is replaced (compile-cell.ts) behind the executor's seam, and
 * its server, which loads it, by this kernel.
 */
export function loadTslab(): TslabModules {
  const require = createRequire(import.meta.url)
  const fromTslab = createRequire(require.resolve('tslab'))
  const replace = (name: string, exports: object): void => {
    const file = fromTslab.resolve(name)
    require.cache[file] = { id: file, filename: file, loaded: true, exports, children: [], paths: [] } as never
  }
  // Each as an ES module: else every module of tslab copies its names, which in TypeScript are thousands.
  const esModule = { __esModule: { value: true } }
  replace('@tslab/typescript-for-tslab', Object.create(require('typescript') as object, esModule) as object)
  const jupyter = Object.defineProperties<TslabModules['jupyter']>({}, esModule)
  replace('./jupyter.js', jupyter)
  const { createExecutor } = fromTslab('./executor.js') as Pick<TslabModules, 'createExecutor'>
  return { createExecutor, jupyter }
}
