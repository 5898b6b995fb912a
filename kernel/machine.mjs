// What the machine has, and the remedy for what it lacks.
// The default import: on a Node too old for statfs a named one would fail before the version can be checked.
import fs from 'node:fs'
import os from 'node:os'
import { SetupError, ask } from './command.mjs'
import { ROOT } from './paths.mjs'

const NODE = [20, 19]
const PYTHON = { from: [3, 10], to: [3, 14] }
/** Measured after a set-up, with the downloads that lie beside it for a while. */
const DISK_GB = { cpu: 4, gpu: 14 }
const SYSTEMS = ['linux-x64', 'linux-arm64', 'darwin-arm64']

/** Whether version `text` is at least [major, minor]. */
function atLeast(text, [major, minor]) {
  const [a, b] = text.split('.').map(Number)
  return a > major || (a === major && b >= minor)
}

let nvidia
/** Whether there is an NVIDIA driver (in WSL only nvidia-smi tells). */
export function hasNvidia() {
  return (nvidia ??=
    process.platform === 'linux' &&
    (fs.existsSync('/proc/driver/nvidia/version') || Boolean(ask('nvidia-smi', ['-L']))))
}

export function checkNode() {
  const version = process.versions.node
  if (atLeast(version, NODE)) return
  throw new SetupError(
    `Node ${NODE.join('.')} or newer is needed, this is ${version}. Get one from https://nodejs.org, or: nvm install 22`,
  )
}

/** TensorFlow's C library comes out of the wheels on PyPI: only what they are made for can run. */
export function checkSystem() {
  const system = `${process.platform}-${process.arch}`
  if (process.platform === 'win32') {
    throw new SetupError(
      'Windows itself is not supported: TensorFlow publishes no C library for it that Node could be linked with. ' +
        'In WSL 2 (wsl --install) everything runs as on Linux: clone the project there and run the command again',
    )
  }
  if (SYSTEMS.includes(system)) return
  throw new SetupError(`TensorFlow publishes no library for ${system}; there are ones for ${SYSTEMS.join(', ')}`)
}

/** @returns {string} the command of a usable Python */
export function findPython() {
  const minors = [14, 13, 12, 11, 10]
  const names = process.env.PYTHON
    ? [process.env.PYTHON]
    : ['python3', ...minors.map((minor) => `python3.${minor}`), 'python']
  const seen = []
  let withoutVenv
  for (const name of names) {
    const version = ask(name, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
    if (!version) continue
    seen.push(`${name} (${version})`)
    if (!atLeast(version, PYTHON.from) || atLeast(version, [PYTHON.to[0], PYTHON.to[1] + 1])) continue
    if (ask(name, ['-c', 'import venv, ensurepip']) !== undefined) return name
    withoutVenv ??= version
  }
  if (withoutVenv) {
    throw new SetupError(
      `Python ${withoutVenv} lacks its venv module, which JupyterLab's environment is made with. ` +
        `On Debian and Ubuntu: sudo apt install python${withoutVenv}-venv`,
    )
  }
  throw new SetupError(
    `Python 3.10 to 3.14 is needed for JupyterLab; found: ${seen.join(', ') || 'none'}. ` +
      'On Debian and Ubuntu: sudo apt install python3 python3-venv; on Fedora: sudo dnf install python3; ' +
      'on macOS: brew install python. Or set PYTHON to the path of one',
  )
}

/** @returns {string} the command of a C++ compiler */
export function findCompiler() {
  const names = process.env.CXX ? [process.env.CXX] : ['g++', 'clang++', 'c++']
  for (const name of names) if (ask(name, ['--version']) !== undefined) return name
  throw new SetupError(
    `A C++ compiler is needed to build TensorFlow's binding (once); tried: ${names.join(', ')}. ` +
      'On Debian and Ubuntu: sudo apt install g++; on Fedora: sudo dnf install gcc-c++; on macOS: xcode-select --install. ' +
      'Or set CXX to the path of one',
  )
}

export const freeDiskGb = () => {
  const { bavail, bsize } = fs.statfsSync(ROOT)
  return (bavail * bsize) / 1e9
}

export function checkDisk() {
  const need = hasNvidia() ? DISK_GB.gpu : DISK_GB.cpu
  const free = freeDiskGb()
  if (free >= need) return
  throw new SetupError(
    `The set-up needs ${need} GB of disk, ${free.toFixed(1)} GB are free at ${ROOT}. Free some space`,
  )
}

/** Memory that this process may use, in GB: the smaller of the machine's and of the control group's limit. */
export const memoryGb = () => {
  const limit = process.constrainedMemory?.() ?? 0
  return Math.min(os.totalmem(), limit > 0 ? limit : Infinity) / 1e9
}
