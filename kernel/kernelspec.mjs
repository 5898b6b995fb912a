// The Jupyter kernel "TypeScript (zerosearch)": kernel/server/, compiled, started with this clone's packages.
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { KERNEL, KERNELSPEC, PACKAGE_LINK, PRELOAD } from './paths.mjs'

export function installKernelspec() {
  // Node calls what loads modules for cells experimental; its warning would stand in the first cell of every notebook.
  const options = ['--disable-warning=ExperimentalWarning', '--require', PRELOAD]
  const spec = {
    argv: [process.execPath, ...options, KERNEL, '{connection_file}'],
    display_name: 'TypeScript (zerosearch)',
    language: 'typescript',
    interrupt_mode: 'message',
  }
  mkdirSync(KERNELSPEC, { recursive: true })
  writeFileSync(join(KERNELSPEC, 'kernel.json'), `${JSON.stringify(spec, null, 2)}\n`)
}

export function linkPackage() {
  rmSync(PACKAGE_LINK, { recursive: true, force: true })
  symlinkSync('..', PACKAGE_LINK)
}
