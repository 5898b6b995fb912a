// JupyterLab in the clone, reachable from this machine only. Arguments go to JupyterLab: a notebook to open,
// `--no-browser`, `--port=9000`. Without a notebook the quickstart is opened.
import { existsSync } from 'node:fs'
import { main, run } from './command.mjs'
import { figureStyles, jupyterEnvironment } from './jupyter.mjs'
import { QUICKSTART, ROOT, VENV_PYTHON } from './paths.mjs'

const env = jupyterEnvironment()
const given = process.argv.slice(2)
const namesNotebook = given.some((argument) => !argument.startsWith('-'))
const settings = [
  '--ServerApp.ip=127.0.0.1',
  `--ServerApp.root_dir=${ROOT}`,
  // Executed notebooks lie in .runtime/out, which Jupyter would call not found.
  '--ContentsManager.allow_hidden=True',
  figureStyles(env),
]
// JupyterLab refuses to run as root, which is who one is in a container.
if (process.getuid?.() === 0) settings.push('--allow-root')
if (!namesNotebook && existsSync(QUICKSTART)) settings.push(QUICKSTART)

// Ctrl+C reaches JupyterLab as well, which asks before it ends: this process must wait for its answer.
process.on('SIGINT', () => undefined)
await main(() => run(VENV_PYTHON, ['-m', 'jupyterlab', ...settings, ...given], { env }))
