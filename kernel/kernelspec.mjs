// The Jupyter kernel "TypeScript (zerosearch)": tslab, started with this clone's packages.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KERNELSPEC, PACKAGE_LINK, PRELOAD, ROOT } from './paths.mjs'

export function installKernelspec() {
  const tslab = join(ROOT, 'node_modules', 'tslab', 'bin', 'tslab')
  const argv = [process.execPath, '--require', PRELOAD, tslab, 'kernel', '--config-path={connection_file}']
  mkdirSync(KERNELSPEC, { recursive: true })
  const spec = { argv, display_name: 'TypeScript (zerosearch)', language: 'typescript' }
  writeFileSync(join(KERNELSPEC, 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`)
}

export function linkPackage() {
  rmSync(PACKAGE_LINK, { recursive: true, force: true })
  symlinkSync('..', PACKAGE_LINK)
}
