// Executes the quickstart notebook; `npm start` runs the set-up before.
import { join } from 'node:path'
import { OUT, QUICKSTART, ROOT, VENV_PYTHON } from './paths.mjs'
import { SetupError, run } from './step.mjs'

console.log('\nexecuting notebooks/01-quickstart.ipynb')
try {
  await run(VENV_PYTHON, [join(ROOT, 'kernel', 'run_notebook.py'), QUICKSTART, OUT])
} catch (error) {
  if (!(error instanceof SetupError)) throw error
  console.error(`\n✗ ${error.message}`)
  process.exit(1)
}
console.log('\nTo work with it in JupyterLab: npm run lab')
