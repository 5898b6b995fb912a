// Sets up everything inside the clone: run by `npm start`, `npm test`, `npm run lab` and `npm run setup`.
// Needs nothing but Node; each step is skipped when nothing it depends on has changed. The clone's own place (ROOT) counts
// for the steps that write absolute paths: a moved clone gets them anew, and keeps its packages and TensorFlow.
import { chmodSync, existsSync, mkdirSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { cpus } from 'node:os'
import { dirname, join } from 'node:path'
import { main, run } from './command.mjs'
import { checkDisk, checkNode, checkSystem, findCompiler, findPython } from './machine.mjs'
import {
  BINDING,
  COMMAND_LINK,
  JUPYTER_LAB,
  KERNEL,
  KERNELSPEC,
  PACKAGE_LINK,
  ROOT,
  RUNTIME,
  VENV,
  VENV_PYTHON,
} from './paths.mjs'
import { step } from './step.mjs'
import { BINDING_SOURCES, LIBRARIES, buildBinding, installTensorFlow, tensorflowWheels } from './tensorflow.mjs'

const file = (...parts) => join(ROOT, ...parts)

const CLI = file('dist', 'cli', 'main.js')

function filesUnder(folder) {
  const entries = readdirSync(folder, { withFileTypes: true, recursive: true })
  return entries
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort()
}

const installPackages = () => run('npm', ['ci', '--no-audit', '--no-fund', '--loglevel=error'], { quiet: true })

async function makeEnvironment(python, requirements, say) {
  await run(python, ['-m', 'venv', '--clear', VENV], { quiet: true })
  // JupyterLab brings scripts in CommonJS, which the package.json of the clone would make ES modules.
  writeFileSync(join(RUNTIME, 'package.json'), '{ "type": "commonjs" }\n')
  say('downloading JupyterLab')
  await run(VENV_PYTHON, ['-m', 'pip', 'install', '--disable-pip-version-check', '-r', requirements], {
    quiet: true,
    onLine(line) {
      const [doing] = /(?:Collecting|Downloading) \S+|Installing collected packages/.exec(line) ?? []
      if (doing) say(doing)
    },
  })
}

async function compileTypeScript() {
  const compiler = file('node_modules', 'typescript', 'bin', 'tsc')
  for (const project of ['tsconfig.build.json', join('kernel', 'tsconfig.json')])
    await run(process.execPath, [compiler, '-p', project], { quiet: true })
  await run('sh', [file('kernel', 'launch.sh'), process.execPath], { quiet: true })
  chmodSync(CLI, 0o755)
}

/** As if the clone were installed as a package: notebooks import it by name, and `npx zerosearch` finds its command. */
function linkPackage() {
  rmSync(PACKAGE_LINK, { recursive: true, force: true })
  symlinkSync('..', PACKAGE_LINK)
  rmSync(COMMAND_LINK, { force: true })
  mkdirSync(dirname(COMMAND_LINK), { recursive: true })
  symlinkSync(join('..', 'zerosearch', 'dist', 'cli', 'main.js'), COMMAND_LINK)
}

await main(async () => {
  checkNode()
  checkSystem()
  const python = findPython()
  const compiler = findCompiler()
  if (!existsSync(BINDING)) checkDisk()

  const lock = file('package-lock.json')
  await step('npm packages', { files: [lock], outputs: [file('node_modules', '.package-lock.json')] }, installPackages)

  const requirements = file('kernel', 'requirements.txt')
  const environment = { texts: [ROOT], files: [requirements], outputs: [VENV_PYTHON, JUPYTER_LAB] }
  await step('JupyterLab', environment, (say) => makeEnvironment(python, requirements, say))

  const library = tensorflowWheels().join(' ')
  await step('TensorFlow library', { texts: [library], outputs: LIBRARIES }, (say) => installTensorFlow(say))

  const native = filesUnder(BINDING_SOURCES)
  await step('native binding', { texts: [library, compiler], files: [lock, ...native], outputs: [BINDING] }, () =>
    buildBinding(compiler),
  )

  const projects = [file('tsconfig.json'), file('tsconfig.build.json'), file('kernel', 'tsconfig.json')]
  const starts = [file('kernel', 'launch.sh'), file('kernel', 'snapshot.cjs')]
  const sources = [...filesUnder(file('src')), ...filesUnder(file('kernel', 'server')), ...starts, ...projects, lock]
  const built = [file('dist', 'index.js'), file('dist', 'index.d.ts'), KERNEL, CLI]
  // The kernel's snapshot is for one Node on one kind of processor, in one place.
  const machine = [ROOT, process.execPath, process.version, cpus()[0]?.model ?? '']
  await step('TypeScript build', { texts: machine, files: sources, outputs: built }, compileTypeScript)

  const kernel = { texts: [ROOT, process.execPath], files: [CLI, ...filesUnder(file('kernel', 'logo'))] }
  const installed = [join(KERNELSPEC, 'kernel.json'), PACKAGE_LINK, COMMAND_LINK]
  await step('Jupyter kernel', { ...kernel, outputs: installed }, async () => {
    linkPackage()
    await run(process.execPath, [COMMAND_LINK, 'kernel', 'install', '--prefix', VENV], { quiet: true })
  })
})
