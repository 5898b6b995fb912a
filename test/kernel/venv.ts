// The environment that the set-up made: JupyterLab, the kernelspec, and what runs notebooks.
import { join } from 'node:path'

export const ROOT = join(import.meta.dirname, '..', '..')
export const VENV_PYTHON = join(ROOT, '.runtime', 'venv', 'bin', 'python')

export const { figureStyles, jupyterEnvironment } = (await import(join(ROOT, 'kernel', 'jupyter.mjs'))) as {
  jupyterEnvironment: (more?: Record<string, string>) => NodeJS.ProcessEnv
  figureStyles: (environment: NodeJS.ProcessEnv) => string
}
