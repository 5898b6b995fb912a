// Executes the quickstart notebook; `npm start` runs the set-up before.
import { existsSync } from 'node:fs'
import { basename, join, relative } from 'node:path'
import { SetupError, main, run } from './command.mjs'
import { jupyterEnvironment } from './jupyter.mjs'
import { OUT, QUICKSTART, ROOT, VENV_PYTHON } from './paths.mjs'

await main(async () => {
  if (!existsSync(QUICKSTART))
    throw new SetupError(`The notebook ${QUICKSTART} is missing: restore it with git checkout notebooks`)
  console.log('\nExecuting notebooks/01-quickstart.ipynb')
  await run(VENV_PYTHON, [join(ROOT, 'kernel', 'run_notebook.py'), QUICKSTART, OUT], {
    env: jupyterEnvironment(),
    remedy: 'The quickstart notebook did not run to its end; the cell and its error are shown above.',
  })
  console.log(`
in JupyterLab      npm run lab -- ${relative(ROOT, join(OUT, basename(QUICKSTART)))}
to run it yourself npm run lab`)
})
