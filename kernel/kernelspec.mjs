// The Jupyter kernel "TypeScript (zerosearch)": tslab, started with this clone's packages.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KERNELSPEC, ROOT } from './paths.mjs'

export function installKernelspec() {
  const argv = [
    process.execPath,
    '--require',
    join(ROOT, 'kernel', 'preload.cjs'),
    join(ROOT, 'node_modules', 'tslab', 'bin', 'tslab'),
    'kernel',
    '--config-path={connection_file}',
  ]
  mkdirSync(KERNELSPEC, { recursive: true })
  const spec = { argv, display_name: 'TypeScript (zerosearch)', language: 'typescript' }
  writeFileSync(join(KERNELSPEC, 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`)
}

/** Notebooks import the package by its name. */
export function linkPackage() {
  const link = join(ROOT, 'node_modules', 'zerosearch')
  rmSync(link, { recursive: true, force: true })
  symlinkSync('..', link, 'junction')
}
