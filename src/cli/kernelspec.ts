import { existsSync, readFileSync, rmSync } from 'node:fs'
import { cp, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { writeFolder } from '../file/write-folder.js'
import type { FolderKind } from '../file/write-folder.js'
import { allKernelsFolders, kernelsFolder } from './jupyter-paths.js'
import type { Place } from './jupyter-paths.js'

const NAME = 'zerosearch'
const CLONE = fileURLToPath(new URL('../..', import.meta.url)).replace(/[\\/]$/, '')
const LAUNCHER = join(CLONE, 'dist', 'kernel', 'main.js')

const KIND: FolderKind = { operation: 'kernel install', what: 'kernelspec', marker: 'kernel.json', owns: () => true }

/** A kernelspec of this project: where it lies, and the clone that it starts. */
export interface InstalledKernel {
  folder: string
  launcher: string
  /** `ready` starts; `missing` points to a clone that is gone or not built; `other` is of another clone. */
  state: 'ready' | 'missing' | 'other'
}

/**
 * Writes the kernelspec "TypeScript (zerosearch)", which starts the kernel of this clone.
 * @returns its folder
 * @throws {Error} where the kernel is not built
 */
export async function installKernel(place: Place): Promise<string> {
  if (!existsSync(LAUNCHER)) throw new Error(`kernel install: ${LAUNCHER} is missing; run \`npm run setup\` first`)
  const folder = join(kernelsFolder(place), NAME)
  const spec = {
    argv: ['/bin/sh', join(CLONE, 'kernel', 'launch.sh'), process.execPath, LAUNCHER, '{connection_file}'],
    display_name: 'TypeScript (zerosearch)',
    language: 'typescript',
    interrupt_mode: 'message',
    metadata: { debugger: false },
  }
  await writeFolder(folder, KIND, { overwrite: true }, async (aside) => {
    await cp(join(CLONE, 'kernel', 'logo'), aside, { recursive: true })
    await writeFile(join(aside, 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`)
  })
  return folder
}

/**
 * Removes the kernelspec.
 * @returns its folder
 * @throws {Error} where there is none
 */
export function uninstallKernel(place: Place): string {
  const folder = join(kernelsFolder(place), NAME)
  if (!existsSync(folder)) {
    const elsewhere = listKernels().map((kernel) => dirname(kernel.folder))
    const hint = elsewhere.length > 0 ? `it is in ${elsewhere.join(' and ')}` : 'no Jupyter here has it'
    throw new Error(`kernel uninstall: there is no kernelspec ${folder}; ${hint}`)
  }
  rmSync(folder, { recursive: true })
  return folder
}

/** The kernelspecs of this project that Jupyter finds, in the order in which it looks; last that of the clone's own JupyterLab. */
export function listKernels(): InstalledKernel[] {
  const inClone = kernelsFolder({ prefix: join(CLONE, '.runtime', 'venv') })
  return [...new Set([...allKernelsFolders(), inClone])].flatMap((kernels): InstalledKernel[] => {
    const folder = join(kernels, NAME)
    const file = join(folder, 'kernel.json')
    if (!existsSync(file)) return []
    const { argv = [] } = JSON.parse(readFileSync(file, 'utf8')) as { argv?: string[] }
    const launcher = argv.at(-2) ?? ''
    const starts = argv.slice(0, -1).every((file) => existsSync(file))
    return [{ folder, launcher, state: !starts ? 'missing' : launcher === LAUNCHER ? 'ready' : 'other' }]
  })
}
