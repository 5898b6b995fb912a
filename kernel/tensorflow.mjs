// TensorFlow's library out of the PyPI wheel: headers and two shared libraries, no Python. With an NVIDIA driver the
// build with CUDA, and NVIDIA's wheels beside it, where its RUNPATH and XLA's search for libdevice find them.
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { SetupError, ask, run } from './command.mjs'
import { hasNvidia } from './machine.mjs'
import { BINDING, ROOT, RUNTIME, TENSORFLOW, TENSORFLOW_LIBRARY, TFJS, VENV_PYTHON } from './paths.mjs'

const VERSION = '2.21.0'
/** The wheel of this Python is taken whatever Python runs pip: only its C library is used. */
const WHEEL_PYTHON = '3.12'

/** `tensorflow-cpu` exists for Linux on x64 only; elsewhere `tensorflow` is without CUDA, or has it for NVIDIA's driver. */
export function tensorflowPackage() {
  if (hasNvidia()) return `tensorflow[and-cuda]==${VERSION}`
  return `${process.platform === 'linux' && process.arch === 'x64' ? 'tensorflow-cpu' : 'tensorflow'}==${VERSION}`
}

const mac = process.platform === 'darwin'
export const LIBRARIES = ['libtensorflow_cc', 'libtensorflow_framework'].map((name) =>
  join(TENSORFLOW_LIBRARY, `${name}${mac ? '.2.dylib' : '.so.2'}`),
)
export const BINDING_SOURCES = join(ROOT, 'src', 'tensor', 'native')

const UNPACK = `
import sys, zipfile
wheel, target, *parts = sys.argv[1:]
with zipfile.ZipFile(wheel) as archive:
    archive.extractall(target, [n for n in archive.namelist() if n.startswith(tuple(parts))])
`

/** What \`tensorflow[and-cuda]\` requires of NVIDIA, as the wheel says. */
const CUDA_REQUIREMENTS = `
import email, sys, zipfile
with zipfile.ZipFile(sys.argv[1]) as archive:
    name = next(n for n in archive.namelist() if n.endswith('.dist-info/METADATA'))
    lines = email.message_from_bytes(archive.read(name)).get_all('Requires-Dist') or []
for line in lines:
    requirement, _, condition = line.partition(';')
    if requirement.startswith('nvidia-') and 'and-cuda' in condition:
        print(''.join(requirement.split()))
`

function download(wheels, requirement) {
  const choice = ['--only-binary=:all:', '--python-version', WHEEL_PYTHON, '--no-deps']
  return run(
    VENV_PYTHON,
    ['-m', 'pip', 'download', '--disable-pip-version-check', ...choice, '-d', wheels, requirement],
    {
      quiet: true,
      remedy: `The wheel ${requirement} could not be fetched from PyPI.`,
    },
  )
}

async function fetchCuda(wheels, tensorflowWheel, aside, say) {
  const requirements = ask(VENV_PYTHON, ['-c', CUDA_REQUIREMENTS, tensorflowWheel])
  if (!requirements)
    throw new SetupError(`TensorFlow ${VERSION}'s wheel names no NVIDIA wheels: it is not the build with CUDA`)
  for (const requirement of requirements.split('\n')) {
    say(`downloading ${requirement}`)
    await download(wheels, requirement)
  }
  for (const name of readdirSync(wheels).filter((wheel) => wheel.startsWith('nvidia'))) {
    await run(VENV_PYTHON, ['-c', UNPACK, join(wheels, name), aside, 'nvidia/'], { quiet: true })
    rmSync(join(wheels, name))
  }
}

/** Fetches and unpacks into a folder aside, which takes its place when complete. */
export async function installTensorFlow(say) {
  const wheels = join(RUNTIME, 'wheels')
  const aside = `${TENSORFLOW}.part`
  rmSync(aside, { recursive: true, force: true })
  mkdirSync(wheels, { recursive: true })
  mkdirSync(aside, { recursive: true })
  const requirement = tensorflowPackage().replace('[and-cuda]', '')
  say(`downloading ${requirement}`)
  await download(wheels, requirement)
  const wheel = join(wheels, readdirSync(wheels).find((name) => name.startsWith('tensorflow')) ?? '')
  say('unpacking')
  await run(VENV_PYTHON, ['-c', UNPACK, wheel, aside, 'tensorflow/include/', 'tensorflow/libtensorflow_'], {
    quiet: true,
  })
  if (hasNvidia()) await fetchCuda(wheels, wheel, aside, say)
  rmSync(TENSORFLOW, { recursive: true, force: true })
  renameSync(aside, TENSORFLOW)
  rmSync(wheels, { recursive: true, force: true })
}

/** Builds tfjs-node's binding with this project's additions against that library. */
export async function buildBinding(compiler) {
  const include = [join(ROOT, 'node_modules', 'node-api-headers', 'include'), TFJS, join(TENSORFLOW_LIBRARY, 'include')]
  const aside = join(RUNTIME, 'tfjs_binding.node.part')
  const flags = ['-std=c++17', '-O2', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8']
  // Node itself brings the N-API symbols when it loads the binding.
  if (mac) flags.push('-undefined', 'dynamic_lookup')
  const source = join(BINDING_SOURCES, 'binding.cc')
  const args = [...flags, ...include.map((folder) => `-I${folder}`), source, '-o', aside, ...LIBRARIES]
  await run(compiler, [...args, `-Wl,-rpath,${TENSORFLOW_LIBRARY}`], {
    quiet: true,
    remedy: "TensorFlow's binding could not be built. Set CXX to try another compiler. The compiler's last words:",
  })
  mkdirSync(join(BINDING, '..'), { recursive: true })
  // A running process keeps the old file; the new one takes its name.
  renameSync(aside, BINDING)
}
