// Jupyter with its settings, sessions and list of trusted notebooks inside the clone, and its own Python packages only.
import { copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { RUNTIME } from './paths.mjs'

/**
 * @param {Record<string, string>} [more] environment for the kernel
 * @returns {NodeJS.ProcessEnv}
 */
export function jupyterEnvironment(more = {}) {
  const { PYTHONPATH: _path, PYTHONHOME: _home, ...env } = process.env
  const folder = join(RUNTIME, 'jupyter')
  return {
    ...env,
    PYTHONNOUSERSITE: '1',
    // The clone's kernelspec counts, also where the user has one of the same name.
    JUPYTER_PREFER_ENV_PATH: '1',
    JUPYTER_CONFIG_DIR: join(folder, 'config'),
    JUPYTER_DATA_DIR: join(folder, 'data'),
    JUPYTER_RUNTIME_DIR: join(folder, 'runtime'),
    ...more,
  }
}

/**
 * Puts the style sheet for figures where JupyterLab reads it.
 * @param {NodeJS.ProcessEnv} environment as `jupyterEnvironment` made it
 * @returns {string} the setting that has JupyterLab read it
 */
export function figureStyles(environment) {
  const custom = join(environment['JUPYTER_CONFIG_DIR'] ?? '', 'custom')
  mkdirSync(custom, { recursive: true })
  copyFileSync(join(import.meta.dirname, 'figures.css'), join(custom, 'custom.css'))
  return '--LabApp.custom_css=True'
}
