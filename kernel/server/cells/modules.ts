import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'
import { join } from 'node:path'
import vm from 'node:vm'

type Namespace = Record<string, unknown>

/** What a cell has for imports, by Node's rules for ES modules, seen from the notebook's folder. */
export interface CellModules {
  import: (specifier: string) => Promise<unknown>
  meta: { url: string; dirname: string; filename: string; resolve(specifier: string): string }
}

export function createModules(folder: string): CellModules {
  const filename = join(folder, '__cell__.js')
  const options = { filename, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }
  const load = vm.runInThisContext('(specifier) => import(specifier)', options) as (
    specifier: string,
  ) => Promise<Namespace>
  const require = createRequire(filename)
  return {
    import: async (specifier) => asTypesSay(await load(specifier)),
    meta: {
      url: pathToFileURL(filename).href,
      dirname: folder,
      filename,
      resolve: (specifier) => require.resolve(specifier),
    },
  }
}

/**
 * A CommonJS module as TypeScript's types describe it: Node finds only some of its names, and takes its whole as the default
 * also where it was an ES module once.
 */
function asTypesSay(namespace: Namespace): Namespace {
  const whole = namespace['default'] as Namespace | null | undefined
  if ((typeof whole !== 'object' && typeof whole !== 'function') || whole === null) return namespace
  if (whole['__esModule']) return whole
  const missing = Object.keys(whole).some((name) => !(name in namespace))
  const isCommonJs =
    'module.exports' in namespace ||
    Object.keys(namespace).every((name) => name === 'default' || whole[name] === namespace[name])
  return missing && isCommonJs ? Object.assign(Object.create(null) as Namespace, whole, namespace) : namespace
}
