// `npm test`: checks, unit and parity tests, and the notebooks with shortened trainings. Run after the set-up.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { SetupError, main, run } from './command.mjs'
import { jupyterEnvironment } from './jupyter.mjs'
import { OUT, QUICKSTART, ROOT, RUNTIME, VENV_PYTHON } from './paths.mjs'

const REPORT = join(RUNTIME, 'vitest.json')
const failures = []

/** Runs every stage, so that one failure does not hide the next. */
async function stage(title, command, args, options) {
  console.log(`\n── ${title}`)
  const started = Date.now()
  try {
    await run(command, args, { remedy: `${title} failed; see above.`, ...options })
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(`✗ ${error.message}`)
    failures.push(title)
  }
  console.log(`   ${((Date.now() - started) / 1000).toFixed(0)} s`)
}

/** Their parts are tested one by one: together they would take minutes more. */
const LONG = ['04-simulator.ipynb', '06-evaluation.ipynb', '07-paper-tables.ipynb', '08-your-model.ipynb']

/** Why a notebook is left out: it takes long, or reads published questions, which are not part of the project. */
function reasonToSkip(notebook) {
  if (LONG.includes(notebook) && process.env.ZEROSEARCH_NOTEBOOKS !== 'all')
    return 'it takes long; with ZEROSEARCH_NOTEBOOKS=all in the environment it runs'
  if (!['02-real-model.ipynb', '06-evaluation.ipynb'].includes(notebook)) return undefined
  const folder = resolve(ROOT, 'notebooks', process.env.ZEROSEARCH_REALDATA ?? 'real-data')
  if (existsSync(join(folder, 'hotpotqa', 'hotpot_dev_distractor.jsonl'))) return undefined
  return 'there is no hotpotqa/hotpot_dev_distractor.jsonl in notebooks/real-data, or in the folder that ZEROSEARCH_REALDATA names'
}

await main(async () => {
  mkdirSync(RUNTIME, { recursive: true })
  rmSync(REPORT, { force: true })
  for (const check of ['format', 'lint', 'types', 'layers', 'unused']) {
    await stage(check, 'npm', ['run', '--silent', `check:${check}`])
  }

  const reporters = ['--reporter=default', '--reporter=json', `--outputFile.json=${REPORT}`]
  await stage('tests', process.execPath, [join(ROOT, 'node_modules', 'vitest', 'vitest.mjs'), 'run', ...reporters])
  const { numPassedTests = 0, numFailedTests = 0 } = existsSync(REPORT) ? JSON.parse(readFileSync(REPORT, 'utf8')) : {}

  const folder = join(ROOT, 'notebooks')
  const notebooks = readdirSync(folder).filter((name) => name.endsWith('.ipynb'))
  if (!existsSync(QUICKSTART)) failures.push('notebooks/01-quickstart.ipynb is missing')
  for (const notebook of notebooks.sort()) {
    const reason = reasonToSkip(notebook)
    if (reason !== undefined) {
      console.log(`\n── notebook ${notebook}\n   skipped: ${reason}`)
      continue
    }
    const args = [join(ROOT, 'kernel', 'run_notebook.py'), join(folder, notebook), join(OUT, 'test')]
    await stage(`notebook ${notebook}`, VENV_PYTHON, args, { env: jupyterEnvironment({ ZEROSEARCH_QUICK: '1' }) })
  }

  // A stage that fails without a failed test (the format, a notebook, a test file that does not load) counts as one.
  const others = failures.filter((title) => title !== 'tests').length
  const failed = others + (failures.includes('tests') ? Math.max(1, numFailedTests) : 0)
  if (failures.length > 0) console.error(`\n✗ failed: ${failures.join(', ')}`)
  console.log(`\n${numPassedTests} passed, ${failed} failed`)
  process.exitCode = failed > 0 ? 1 : 0
})
