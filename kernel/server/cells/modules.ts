import { createRequire } from 'node:module'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import vm from 'node:vm'
import disk from './disk.cjs'
import type { SideModules } from './side-modules.js'

type Namespace = Record<string, unknown>

/** What a cell has for imports, by Node's rules for ES modules, seen from the notebook's folder. */
export interface CellModules {
  import: (specifier: string) => Promise<unknown>
  meta: { url: string; dirname: string; filename: string; resolve(specifier: string): string }
}

export function createModules(folder: string, sides: SideModules): CellModules {
  const filename = join(folder, '__cell__.js')
  const load = loaderAt(filename)
  const loadFromHome = loaderAt(join(disk.HOME, '__cell__.js'))
  const require = createRequire(filename)
  return {
    import: async (specifier) =>
      sides.import(specifier, filename) ??
      asTypesSay(
        await load(specifier)
          .catch((error: unknown) => {
            if (!isMissing(error, specifier)) throw error
            return loadFromHome(specifier).catch((atHome: unknown) => {
              throw isMissing(atHome, specifier) ? error : atHome
            })
          })
          .catch((error: unknown) => {
            throw needsBrowser(error) ? browserOnly(specifier) : error
          }),
      ),
    meta: {
      url: pathToFileURL(filename).href,
      dirname: folder,
      filename,
      resolve: (specifier) => require.resolve(specifier),
    },
  }
}

function loaderAt(filename: string): (specifier: string) => Promise<Namespace> {
  const options = { filename, importModuleDynamically: vm.constants.USE_MAIN_CONTEXT_DEFAULT_LOADER }
  return vm.runInThisContext('(specifier) => import(specifier)', options) as (specifier: string) => Promise<Namespace>
}

/** Whether a package isn't there, not one that it needs. */
function isMissing(error: unknown, specifier: string): boolean {
  const { code, message } = error as { code?: string; message?: string }
  const [scope, name] = specifier.split('/')
  const wanted = specifier.startsWith('@') ? `${scope}/${name}` : scope
  return code === 'ERR_MODULE_NOT_FOUND' && /^[^./]/.test(specifier) && message!.includes(`'${wanted}'`)
}

/** Whether a package looks for what only browsers have. */
const needsBrowser = (error: unknown): boolean =>
  error instanceof ReferenceError &&
  /^(?:window|document|self|navigator|HTMLElement) is not defined/.test(error.message)

function browserOnly(specifier: string): Error {
  const instead = specifier.startsWith('plotly.js')
    ? 'a cell shows a figure by its data alone: end it with ({ data: [{ y: [1, 3, 2] }], layout: {} }), once zerosearch is imported'
    : 'cells run in Node; use a package for Node, or show HTML that loads it'
  return new Error(`import: ${specifier} runs only in a browser; ${instead}`)
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
