import { execFileSync } from 'node:child_process'
import { homedir } from 'node:os'
import { delimiter, join } from 'node:path'

/** Where a kernelspec may be put: for this user, for the Python environment at hand, or under a folder of one's own. */
export type Place = { user: true } | { sysPrefix: true } | { prefix: string }

/** The folder `kernels/` of a place, as `jupyter kernelspec install` finds it. */
export function kernelsFolder(place: Place): string {
  if ('user' in place) return join(userDataFolder(), 'kernels')
  const prefix = 'prefix' in place ? place.prefix : pythonPrefix()
  return join(prefix, 'share', 'jupyter', 'kernels')
}

/** Every folder in which Jupyter looks for kernelspecs, first come first served. */
export function allKernelsFolders(): string[] {
  const given = (process.env['JUPYTER_PATH'] ?? '').split(delimiter).filter((path) => path !== '')
  const data = [...given, userDataFolder(), ...environmentFolders()]
  if (process.platform !== 'win32') data.push('/usr/local/share/jupyter', '/usr/share/jupyter')
  return [...new Set(data)].map((folder) => join(folder, 'kernels'))
}

function userDataFolder(): string {
  const named = process.env['JUPYTER_DATA_DIR']
  if (named) return named
  if (process.platform === 'darwin') return join(homedir(), 'Library', 'Jupyter')
  return join(process.env['XDG_DATA_HOME'] || join(homedir(), '.local', 'share'), 'jupyter')
}

function environmentFolders(): string[] {
  try {
    return [join(pythonPrefix(), 'share', 'jupyter')]
  } catch {
    return []
  }
}

/** The prefix of the Python environment that is active, of which `python3` is the interpreter. */
function pythonPrefix(): string {
  const python = process.env['PYTHON'] || 'python3'
  try {
    return execFileSync(python, ['-c', 'import sys; print(sys.prefix)'], { encoding: 'utf8', stdio: 'pipe' }).trim()
  } catch {
    throw new Error(
      `kernel: --sys-prefix asks ${python} for its environment, and it did not answer; activate the environment, set PYTHON, or name the folder by --prefix`,
    )
  }
}
