// What the machine has, and the remedy for what it lacks.
import { existsSync, statfsSync } from 'node:fs'
import { ROOT } from './paths.mjs'
import { SetupError, ask } from './step.mjs'

const NODE = [20, 19]
const PYTHON = { from: [3, 10], to: [3, 14] }
const DISK_GB = { cpu: 4, gpu: 12 }

const at = (text, most) => text.split('.').slice(0, 2).map(Number).reduce((a, b) => a * 1000 + b, 0) >= most[0] * 1000 + most[1]

export const hasNvidia = () => existsSync('/proc/driver/nvidia/version') || ask('nvidia-smi', ['-L']) !== undefined

/** @returns {string} the command of a usable Python */
export function findPython() {
  const names = [process.env.PYTHON, 'python3', ...[14, 13, 12, 11, 10].map((minor) => `python3.${minor}`), 'python'].filter(Boolean)
  const seen = []
  for (const name of names) {
    const version = ask(name, ['-c', 'import sys; print("%d.%d" % sys.version_info[:2])'])
    if (!version) continue
    seen.push(`${name} ${version}`)
    if (at(version, PYTHON.from) && !at(version, [PYTHON.to[0], PYTHON.to[1] + 1])) {
      if (ask(name, ['-c', 'import venv, ensurepip']) !== undefined) return name
      throw new SetupError(
        `Python ${version} (${name}) lacks the venv module, which JupyterLab's environment is made with. ` +
          `On Debian and Ubuntu: sudo apt install python${version}-venv`,
      )
    }
  }
  throw new SetupError(
    `Python 3.10 to 3.14 is needed for JupyterLab; found: ${seen.join(', ') || 'none'}. ` +
      'On Debian and Ubuntu: sudo apt install python3 python3-venv; on macOS: brew install python. Or set PYTHON to its path',
  )
}

/** @returns {string} the command of a C++ compiler */
export function findCompiler() {
  for (const name of [process.env.CXX, 'g++', 'clang++', 'c++'].filter(Boolean)) {
    if (ask(name, ['--version']) !== undefined) return name
  }
  throw new SetupError(
    "A C++ compiler is needed to build TensorFlow's binding (once, about 15 s). " +
      'On Debian and Ubuntu: sudo apt install g++; on Fedora: sudo dnf install gcc-c++; on macOS: xcode-select --install. Or set CXX',
  )
}

export function checkNode() {
  const version = process.versions.node
  if (at(version, NODE)) return
  throw new SetupError(`Node ${NODE.join('.')} or newer is needed, this is ${version}. Get one from https://nodejs.org or with nvm install 22`)
}

export function checkDisk() {
  const { bavail, bsize } = statfsSync(ROOT)
  const free = (bavail * bsize) / 1e9
  const need = hasNvidia() ? DISK_GB.gpu : DISK_GB.cpu
  if (free < need) throw new SetupError(`The set-up needs ${need} GB of disk, ${free.toFixed(1)} GB are free at ${ROOT}. Free some space`)
}
