// JupyterLab in the clone, reachable from this machine only.
import { JUPYTER_LAB, ROOT } from './paths.mjs'
import { main, run } from './command.mjs'

// Ctrl+C reaches JupyterLab as well, which asks before it ends: this process must wait for its answer.
process.on('SIGINT', () => undefined)
await main(() =>
  run(JUPYTER_LAB, ['--ServerApp.ip=127.0.0.1', `--ServerApp.root_dir=${ROOT}`, ...process.argv.slice(2)]),
)
