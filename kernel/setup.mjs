// Sets up everything inside the clone: run by `npm start`, `npm test`, `npm run setup`. Needs nothing but Node.
import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { checkDisk, checkNode, findCompiler, findPython } from './machine.mjs'
import { BINDING, KERNELSPEC, ROOT, TENSORFLOW_LIBRARY, VENV, VENV_PYTHON } from './paths.mjs'
import { installKernelspec, linkPackage } from './kernelspec.mjs'
import { SetupError, run, step } from './step.mjs'
import { LIBRARIES, buildBinding, installTensorFlow, nativeSources, tensorflowPackage } from './tensorflow.mjs'

const file = (...parts) => join(ROOT, ...parts)

function sources(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile() && entry.name.endsWith('.ts'))
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

export async function setup() {
  checkNode()
  const python = findPython()
  const compiler = findCompiler()
  const lock = file('package-lock.json')
  await step('npm packages', [lock, file('package.json')], [file('node_modules', 'tslab', 'package.json')], async () => {
    checkDisk()
    // Not `npm ci`: it refuses a lockfile made where a registry lacked packages of other platforms. All versions are
    // pinned by the lockfile all the same.
    await run('npm', ['install', '--no-audit', '--no-fund'], { quiet: true })
  })
  await step('TensorFlow library', [tensorflowPackage()], LIBRARIES, () => installTensorFlow(python))
  await step('native binding', [lock, ...nativeSources(), TENSORFLOW_LIBRARY], [BINDING], () => buildBinding(compiler))
  const requirements = file('kernel', 'requirements.txt')
  await step('JupyterLab', [requirements], [VENV_PYTHON, join(VENV, 'bin', 'jupyter-lab')], async () => {
    await run(python, ['-m', 'venv', VENV])
    await run(VENV_PYTHON, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements], { quiet: true })
  })
  await step('TypeScript build', [...sources(file('src')), file('tsconfig.json'), file('tsconfig.build.json')], [file('dist', 'index.js')], () =>
    run(process.execPath, [file('node_modules', 'typescript', 'bin', 'tsc'), '-p', 'tsconfig.build.json']),
  )
  await step('Jupyter kernel', [process.execPath, file('kernel', 'kernelspec.mjs')], [join(KERNELSPEC, 'kernel.json'), file('node_modules', 'zerosearch')], () => {
    installKernelspec()
    linkPackage()
  })
}

try {
  await setup()
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`\n✗ ${error.message}`)
  process.exit(1)
}
