// `npm run doctor`: what is there, and the remedy for what is not.
import { existsSync, statfsSync } from 'node:fs'
import { freemem, totalmem } from 'node:os'
import { join } from 'node:path'
import { checkNode, findCompiler, findPython, hasNvidia } from './machine.mjs'
import { BINDING, KERNELSPEC, ROOT, VENV, VENV_PYTHON } from './paths.mjs'
import { SetupError, ask } from './step.mjs'
import { LIBRARIES } from './tensorflow.mjs'

let faults = 0
const say = (name, value) => console.log(`✓ ${name.padEnd(12)} ${value}`)
const fault = (name, remedy) => {
  faults++
  console.log(`✗ ${name.padEnd(12)} ${remedy}`)
}
function check(name, look) {
  try {
    say(name, look())
  } catch (error) {
    fault(name, error instanceof SetupError ? error.message : String(error))
  }
}
const must = (value, remedy) => {
  if (value === undefined) throw new SetupError(remedy)
  return value
}

const ENGINE = `
const tf = require('@tensorflow/tfjs-node-gpu')
const { binding } = tf.backend()
const sum = tf.matMul(tf.ones([8, 8]), tf.ones([8, 8])).sum().dataSync()[0]
if (sum !== 512) throw new Error('a product of matrices is wrong')
console.log('TensorFlow ' + binding.TF_Version + ' on ' + binding.deviceName())
`
const engine = () => ask(process.execPath, ['--require', join(ROOT, 'kernel', 'preload.cjs'), '-e', ENGINE])
const gigabytes = (bytes) => `${(bytes / 1e9).toFixed(1)} GB`

check('Node', () => (checkNode(), process.versions.node))
check('Python', () => ask(findPython(), ['--version']))
check('compiler', () => ask(findCompiler(), ['--version']).split('\n')[0])
check('packages', () => must(existsSync(join(ROOT, 'node_modules', 'tslab')) ? 'installed' : undefined, 'npm packages are missing: run npm run setup'))
check('library', () => must(LIBRARIES.every(existsSync) ? LIBRARIES[0] : undefined, "TensorFlow's library is missing: run npm run setup"))
check('binding', () => must(existsSync(BINDING) ? BINDING : undefined, 'The native binding is missing: run npm run setup'))
check('engine', () => must(engine(), 'TensorFlow does not start: remove .runtime/tensorflow and run npm run setup'))
check('GPU', () => (hasNvidia() ? ask('nvidia-smi', ['--query-gpu=name,memory.total,driver_version', '--format=csv,noheader']) : 'none; everything runs on the CPU'))
check('JupyterLab', () => must(ask(join(VENV, 'bin', 'jupyter-lab'), ['--version']), 'JupyterLab is missing: remove .runtime/venv and run npm run setup'))
check('kernel', () =>
  must(
    ask(VENV_PYTHON, ['-c', 'from jupyter_client.kernelspec import get_kernel_spec as g; print(g("zerosearch").display_name)']),
    `The kernelspec is missing from ${KERNELSPEC}: run npm run setup`,
  ),
)
say('memory', `${gigabytes(freemem())} of ${gigabytes(totalmem())} free`)
const { bavail, bsize } = statfsSync(ROOT)
say('disk', `${gigabytes(bavail * bsize)} free`)
process.exit(faults > 0 ? 1 : 0)
