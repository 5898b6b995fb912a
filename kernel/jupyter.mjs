// Jupyter with its settings, sessions and list of trusted notebooks inside the clone, and its own Python packages only.
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
