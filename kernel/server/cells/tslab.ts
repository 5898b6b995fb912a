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
 * types, and checks every earlier cell anew. So its converter is replaced (compile-cell.ts) behind the executor's seam.
 */
export function loadTslab(): TslabModules {
  const require = createRequire(import.meta.url)
  const main = require.resolve('tslab')
  const own = createRequire(main)
  const fork = own.resolve('@tslab/typescript-for-tslab')
  require.cache[fork] = {
    id: fork,
    filename: fork,
    loaded: true,
    // As an ES module: else tslab's modules copy its thousands of names, each for itself.
    exports: Object.create(require('typescript') as object, { __esModule: { value: true } }) as unknown,
    children: [],
    paths: [],
  } as unknown as NodeJS.Module
  const { createExecutor } = own('./executor.js') as Pick<TslabModules, 'createExecutor'>
  return { createExecutor, jupyter: own('./jupyter.js') as TslabModules['jupyter'] }
}
