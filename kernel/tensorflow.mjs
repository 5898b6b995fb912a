// TensorFlow's library out of the PyPI wheel: headers and two shared libraries, no Python. With an NVIDIA driver the
// build with CUDA, and NVIDIA's wheels beside it, where its RUNPATH and XLA's search for libdevice find them.
import { mkdirSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { hasNvidia } from './machine.mjs'
import { RUNTIME, TENSORFLOW, TENSORFLOW_LIBRARY, TFJS, BINDING, ROOT } from './paths.mjs'
import { ask, run } from './step.mjs'

const VERSION = '2.21.0'
/** Any Python has pip fetch the wheel of this one: only its C library is used. */
const WHEEL_PYTHON = '3.12'

/** `tensorflow-cpu` exists for Linux on x64 only. */
export function tensorflowPackage() {
  const small = process.platform === 'linux' && process.arch === 'x64' && !hasNvidia()
  return `${small ? 'tensorflow-cpu' : 'tensorflow'}==${VERSION}`
}

const suffix = process.platform === 'darwin' ? '.2.dylib' : '.so.2'
export const LIBRARIES = ['libtensorflow_cc', 'libtensorflow_framework'].map((name) => join(TENSORFLOW_LIBRARY, name + suffix))

const UNPACK = `
import sys, zipfile
wheel, target, parts = sys.argv[1], sys.argv[2], sys.argv[3].split(',')
with zipfile.ZipFile(wheel) as archive:
    names = [n for n in archive.namelist() if parts == [''] or any(n.startswith(p) for p in parts)]
    archive.extractall(target, names)
`

const REQUIREMENTS = `
import sys, zipfile, email, re
with zipfile.ZipFile(sys.argv[1]) as archive:
    name = next(n for n in archive.namelist() if n.endswith('.dist-info/METADATA'))
    lines = email.message_from_bytes(archive.read(name)).get_all('Requires-Dist') or []
print('\\n'.join(re.sub(r'\\s*;.*', '', l) for l in lines if l.startswith('nvidia-') and 'and-cuda' in l))
`

function download(python, wheels, requirement) {
  const args = ['-m', 'pip', 'download', '--only-binary=:all:', '--python-version', WHEEL_PYTHON, '--no-deps', '-d', wheels]
  return run(python, [...args, requirement], { quiet: true, remedy: 'The wheel could not be fetched from PyPI.' })
}

/** Fetches and unpacks into a folder aside, which takes its place when complete. */
export async function installTensorFlow(python) {
  const wheels = join(RUNTIME, 'wheels')
  const aside = `${TENSORFLOW}.part`
  rmSync(aside, { recursive: true, force: true })
  mkdirSync(wheels, { recursive: true })
  mkdirSync(aside, { recursive: true })
  console.log(`  fetching ${tensorflowPackage()} (the CPU build has about 270 MB, the CUDA build 570 MB)`)
  await download(python, wheels, tensorflowPackage())
  const wheel = join(wheels, readdirSync(wheels).find((name) => name.startsWith('tensorflow')))
  await run(python, ['-c', UNPACK, wheel, aside, 'tensorflow/include/,tensorflow/libtensorflow'])
  if (hasNvidia()) {
    for (const requirement of ask(python, ['-c', REQUIREMENTS, wheel]).split('\n')) {
      console.log(`  fetching ${requirement}`)
      await download(python, wheels, requirement)
    }
    for (const name of readdirSync(wheels).filter((file) => file.startsWith('nvidia'))) {
      await run(python, ['-c', UNPACK, join(wheels, name), aside, 'nvidia/'])
    }
  }
  rmSync(TENSORFLOW, { recursive: true, force: true })
  renameSync(aside, TENSORFLOW)
  rmSync(wheels, { recursive: true, force: true })
}

/** Builds tfjs-node's binding with this project's additions against that library. */
export async function buildBinding(compiler) {
  const mac = process.platform === 'darwin'
  const include = [join(ROOT, 'node_modules', 'node-api-headers', 'include'), TFJS, join(TENSORFLOW_LIBRARY, 'include')]
  const aside = join(RUNTIME, 'tfjs_binding.node.part')
  await run(
    compiler,
    [
      ...['-std=c++17', '-O2', '-fPIC', '-shared', '-w', '-DNAPI_VERSION=8'],
      ...(mac ? ['-undefined', 'dynamic_lookup'] : []),
      ...include.map((folder) => `-I${folder}`),
      join(ROOT, 'src', 'tensor', 'native', 'binding.cc'),
      ...['-o', aside],
      ...LIBRARIES,
      `-Wl,-rpath,${TENSORFLOW_LIBRARY}`,
    ],
    { quiet: true, remedy: "TensorFlow's binding could not be built: the compiler's last words follow. Set CXX to try another compiler." },
  )
  mkdirSync(join(BINDING, '..'), { recursive: true })
  // A running process keeps the old file open; a new one takes its name.
  renameSync(aside, BINDING)
}

export const nativeSources = () => {
  const folder = join(ROOT, 'src', 'tensor', 'native')
  return readdirSync(folder).map((name) => join(folder, name))
}

