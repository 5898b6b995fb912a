// `npm run doctor`: what is there, and the remedy for what is not. Changes nothing.
import { existsSync, readFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { freemem } from 'node:os'
import { join } from 'node:path'
import { SetupError, ask } from './command.mjs'
import { checkNode, checkSystem, findCompiler, findPython, freeDiskGb, hasNvidia, memoryGb } from './machine.mjs'
import { BINDING, JUPYTER_LAB, KERNEL, KERNELSPEC, PACKAGE_LINK, PRELOAD, ROOT } from './paths.mjs'
import { LIBRARIES } from './tensorflow.mjs'

const SETUP = 'run npm run setup'
/** Below this the quickstart's training does not fit beside JupyterLab and a browser. */
const LEAST_MEMORY_GB = 4
const LEAST_DISK_GB = 1

let faults = 0

/** Prints what `look` finds, or the remedy that it throws. */
function check(name, look) {
  let mark = '✓'
  let text
  try {
    text = look()
  } catch (error) {
    faults++
    mark = '✗'
    text = error.message
  }
  console.log(`${mark} ${name.padEnd(12)} ${text}`)
}

function need(value, remedy) {
  if (value === undefined || value === false) throw new SetupError(remedy)
  return value
}

const packageVersion = (name) => {
  const file = join(ROOT, 'node_modules', name, 'package.json')
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined
}

/** Runs in a process of its own: a library that does not fit ends the process that loads it. */
const ENGINE = `
const tf = require('@tensorflow/tfjs-node-gpu')
const { binding } = tf.backend()
const sum = tf.matMul(tf.ones([8, 8]), tf.ones([8, 8])).sum().dataSync()[0]
if (sum !== 512) throw new Error('a product of two matrices came out wrong')
console.log(JSON.stringify({ version: binding.TF_Version, device: binding.deviceName(), gpu: binding.isUsingGpuDevice() }))
`

function engine() {
  const result = spawnSync(process.execPath, ['--require', PRELOAD, '-e', ENGINE], { encoding: 'utf8', cwd: ROOT })
  const answer = result.stdout?.trim().split('\n').at(-1)
  if (result.status !== 0 || !answer) {
    const words = result.stderr?.match(/^\w*Error: .*$/m)?.[0] ?? result.stderr?.trim().split('\n').at(-1) ?? ''
    throw new SetupError(
      `TensorFlow does not start (${words || result.signal}): remove .runtime/tensorflow and .runtime/native-binding.stamp, and ${SETUP}`,
    )
  }
  const { version, device, gpu } = JSON.parse(answer)
  const wanted = process.env.ZEROSEARCH_DEVICE ?? process.env.ZEROSEARCH_TENSORFLOW
  if (hasNvidia() && !gpu && wanted !== 'cpu') {
    throw new SetupError(
      `TensorFlow ${version} runs on ${device}, though there is an NVIDIA driver. Where nvidia-smi shows a GPU, ` +
        `remove .runtime/tensorflow and ${SETUP}`,
    )
  }
  return `TensorFlow ${version} on ${device}`
}

function kernelspec() {
  const file = join(KERNELSPEC, 'kernel.json')
  const { argv, display_name: name } = JSON.parse(
    need(existsSync(file) && readFileSync(file, 'utf8'), `The kernelspec is missing: ${SETUP}`),
  )
  need(
    argv.slice(0, -1).every((path) => existsSync(path)) && argv.includes(KERNEL),
    `The kernelspec is of another Node or another place of the clone: ${SETUP}`,
  )
  need(existsSync(join(PACKAGE_LINK, 'package.json')), `Notebooks cannot import 'zerosearch' by its name: ${SETUP}`)
  return name
}

check('node', () => (checkNode(), process.versions.node))
check('system', () => (checkSystem(), `${process.platform}-${process.arch}`))
check('python', () => ask(findPython(), ['--version']))
check('compiler', () => ask(findCompiler(), ['--version']).split('\n')[0])
check(
  'packages',
  () => `tfjs-node-gpu ${need(packageVersion('@tensorflow/tfjs-node-gpu'), `npm packages are missing: ${SETUP}`)}`,
)
check('tslab', () => need(packageVersion('tslab'), `npm packages are missing: ${SETUP}`))
check('library', () => need(LIBRARIES.every(existsSync) && LIBRARIES[0], `TensorFlow's library is missing: ${SETUP}`))
check('binding', () => need(existsSync(BINDING) && BINDING, `The native binding is missing: ${SETUP}`))
check('engine', engine)
check('GPU', () =>
  hasNvidia()
    ? need(
        ask('nvidia-smi', ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']),
        'The NVIDIA driver does not answer: nvidia-smi must list the GPU',
      )
    : 'none; everything runs on the CPU',
)
check('build', () =>
  need(existsSync(join(ROOT, 'dist', 'index.js')) && 'dist/index.js', `The TypeScript build is missing: ${SETUP}`),
)
check('jupyterlab', () =>
  need(ask(JUPYTER_LAB, ['--version']), `JupyterLab is missing: remove .runtime/venv and ${SETUP}`),
)
check('kernel', kernelspec)
check('memory', () => {
  const total = memoryGb()
  need(
    total >= LEAST_MEMORY_GB,
    `${total.toFixed(1)} GB; ${LEAST_MEMORY_GB} GB are needed for the quickstart: end other programs`,
  )
  return `${total.toFixed(1)} GB, ${(freemem() / 1e9).toFixed(1)} GB free`
})
check('disk', () => {
  const free = freeDiskGb()
  need(free >= LEAST_DISK_GB, `${free.toFixed(1)} GB free at ${ROOT}: free some space`)
  return `${free.toFixed(1)} GB free`
})
process.exitCode = faults > 0 ? 1 : 0
