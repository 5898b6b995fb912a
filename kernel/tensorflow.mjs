// TensorFlow's library out of the PyPI wheel: C headers and two shared libraries, no Python. With an NVIDIA driver the
// build with CUDA, and NVIDIA's wheels beside it as pip would lay them, where its RUNPATH and XLA's search for libdevice
// and ptxas find them.
import { existsSync, mkdirSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { SetupError, run } from './command.mjs'
import { hasNvidia } from './machine.mjs'
import { BINDING, ROOT, RUNTIME, TENSORFLOW, TENSORFLOW_LIBRARY, TFJS, VENV_PYTHON } from './paths.mjs'

const VERSION = '2.21.0'
/** The wheel of this Python is taken whatever Python runs pip: only its C library is used. */
const WHEEL_PYTHON = '3.12'
const CUDA_REQUIREMENTS = join(ROOT, 'kernel', 'cuda-requirements.txt')

const linuxX64 = process.platform === 'linux' && process.arch === 'x64'
const mac = process.platform === 'darwin'

/**
 * Which build: what ZEROSEARCH_TENSORFLOW says (`cpu` or `cuda`), else by the driver. CUDA is in the wheels for Linux on
 * x64 only.
 * @returns {'cpu' | 'cuda'}
 */
function tensorflowBuild() {
  const asked = process.env.ZEROSEARCH_TENSORFLOW
  if (asked !== undefined && asked !== 'cpu' && asked !== 'cuda') {
    throw new SetupError(
      `ZEROSEARCH_TENSORFLOW must be cpu or cuda, got ${asked}: unset it to have the build chosen by whether there is an NVIDIA driver`,
    )
  }
  if (!linuxX64) return 'cpu'
  return asked ?? (hasNvidia() ? 'cuda' : 'cpu')
}

/** @returns {string[]} the wheels to unpack, each pinned */
export function tensorflowWheels() {
  if (tensorflowBuild() === 'cuda') {
    const nvidia = readFileSync(CUDA_REQUIREMENTS, 'utf8').split('\n')
    return [`tensorflow==${VERSION}`, ...nvidia.filter((line) => line && !line.startsWith('#'))]
  }
  // On Linux x64 the build without CUDA has a name of its own; elsewhere there is no other.
  return [`${linuxX64 ? 'tensorflow-cpu' : 'tensorflow'}==${VERSION}`]
}

export const LIBRARIES = ['libtensorflow_cc', 'libtensorflow_framework'].map((name) =>
  join(TENSORFLOW_LIBRARY, `${name}${mac ? '.2.dylib' : '.so.2'}`),
)
export const BINDING_SOURCES = join(ROOT, 'src', 'tensor', 'native')

const megabytes = (bytes) => Math.round(Number(bytes) / 1e6)

/** Says how far a program is that writes `… N of M`, in bytes. */
const byteProgress = (say, title) => (line) => {
  const [, done, total] = /(\d+) of (\d+)/.exec(line) ?? []
  if (total !== undefined) say(`${title}: ${megabytes(done)} of ${megabytes(total)} MB`)
}

/** @returns {Promise<string>} the path of the wheel */
async function download(wheels, requirement, say) {
  const choice = ['--only-binary=:all:', '--python-version', WHEEL_PYTHON, '--no-deps', '--progress-bar=raw']
  await run(
    VENV_PYTHON,
    ['-m', 'pip', 'download', '--disable-pip-version-check', ...choice, '-d', wheels, requirement],
    {
      quiet: true,
      remedy: `The wheel ${requirement} could not be fetched: the package index was not reached, or has none for ${process.platform} ${process.arch}.`,
      onLine: byteProgress(say, `downloading ${requirement}`),
    },
  )
  const wheel = readdirSync(wheels).find((name) => name.endsWith('.whl'))
  if (wheel === undefined) throw new SetupError(`pip left no wheel of ${requirement} in ${wheels}`)
  return join(wheels, wheel)
}

/**
 * Fetches and unpacks wheel by wheel into a folder aside, which takes its place when complete. What an interrupted run
 * has unpacked is not fetched again.
 */
export async function installTensorFlow(say) {
  const aside = join(RUNTIME, `tensorflow-${VERSION}-${tensorflowBuild()}.part`)
  const wheels = join(RUNTIME, 'wheels')
  mkdirSync(aside, { recursive: true })
  for (const requirement of tensorflowWheels()) {
    const unpacked = join(aside, `.unpacked-${requirement}`)
    if (existsSync(unpacked)) continue
    rmSync(wheels, { recursive: true, force: true })
    say(`downloading ${requirement}`)
    const wheel = await download(wheels, requirement, say)
    const parts = requirement.startsWith('nvidia-') ? ['nvidia/'] : ['tensorflow/include/', 'tensorflow/libtensorflow_']
    await run(VENV_PYTHON, [join(ROOT, 'kernel', 'unpack_wheel.py'), wheel, aside, ...parts], {
      quiet: true,
      remedy: 'Run the command again: the wheel is fetched anew.',
      onLine: byteProgress(say, `unpacking ${requirement}`),
    })
    writeFileSync(unpacked, '')
  }
  rmSync(wheels, { recursive: true, force: true })
  rmSync(TENSORFLOW, { recursive: true, force: true })
  renameSync(aside, TENSORFLOW)
}

/** Builds tfjs-node's binding with this project's additions against that library. */
export async function buildBinding(compiler) {
  const include = [join(ROOT, 'node_modules', 'node-api-headers', 'include'), TFJS, join(TENSORFLOW_LIBRARY, 'include')]
  const aside = join(RUNTIME, 'tfjs_binding.node.part')
  const flags = ['-std=c++17', '-O3', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8']
  // Node itself brings the N-API symbols when it loads the binding.
  if (mac) flags.push('-undefined', 'dynamic_lookup')
  const source = join(BINDING_SOURCES, 'binding.cc')
  const args = [...flags, ...include.map((folder) => `-I${folder}`), source, '-o', aside, ...LIBRARIES]
  // From where the binding lies, so that it is found wherever the clone is moved.
  const runpath = `${mac ? '@loader_path' : '$ORIGIN'}/${relative(dirname(BINDING), TENSORFLOW_LIBRARY)}`
  await run(compiler, [...args, `-Wl,-rpath,${runpath}`], {
    quiet: true,
    remedy: "TensorFlow's binding could not be built. Set CXX to try another compiler. The compiler's last words:",
  })
  mkdirSync(dirname(BINDING), { recursive: true })
  // A running process keeps the old file; the new one takes its name.
  renameSync(aside, BINDING)
}
