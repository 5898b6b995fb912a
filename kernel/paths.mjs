// Where everything lies. All that is set up is inside the clone, in .runtime/ and node_modules/.
import { fileURLToPath } from 'node:url'
import { join } from 'node:path'

export const ROOT = fileURLToPath(new URL('..', import.meta.url)).replace(/[\\/]$/, '')
export const RUNTIME = join(ROOT, '.runtime')
export const VENV = join(RUNTIME, 'venv')
export const VENV_PYTHON = join(VENV, 'bin', 'python')
export const JUPYTER_LAB = join(VENV, 'bin', 'jupyter-lab')
/** The unpacked wheel: headers and libraries of TensorFlow, NVIDIA's wheels beside it. */
export const TENSORFLOW = join(RUNTIME, 'tensorflow')
export const TENSORFLOW_LIBRARY = join(TENSORFLOW, 'tensorflow')
export const TFJS = join(ROOT, 'node_modules', '@tensorflow', 'tfjs-node-gpu')
/** Where tfjs-node looks for its binding (N-API 8 is its newest, whatever Node). */
export const BINDING = join(TFJS, 'lib', 'napi-v8', 'tfjs_binding.node')
export const PRELOAD = join(ROOT, 'kernel', 'preload.cjs')
/** The compiled kernel (kernel/server/main.ts). */
export const KERNEL = join(ROOT, 'dist', 'kernel', 'main.js')
export const KERNELSPEC = join(VENV, 'share', 'jupyter', 'kernels', 'zerosearch')
/** node_modules/zerosearch, a link to the clone: notebooks import the package by its name. */
export const PACKAGE_LINK = join(ROOT, 'node_modules', 'zerosearch')
/** node_modules/.bin/zerosearch: the command that `npx zerosearch` runs. */
export const COMMAND_LINK = join(ROOT, 'node_modules', '.bin', 'zerosearch')
export const OUT = join(RUNTIME, 'out')
export const QUICKSTART = join(ROOT, 'notebooks', '01-quickstart.ipynb')
