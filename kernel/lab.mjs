// JupyterLab in the clone, on this machine only.
import { join } from 'node:path'
import { ROOT, VENV } from './paths.mjs'
import { run } from './step.mjs'

await run(join(VENV, 'bin', 'jupyter-lab'), ['--ip=127.0.0.1', '--notebook-dir', ROOT, ...process.argv.slice(2)], { stdio: 'inherit' })
