// `npm test`: checks, unit and parity tests, and the notebooks with a shortened training. Run after the set-up.
import { existsSync, mkdirSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { OUT, ROOT, RUNTIME, VENV_PYTHON } from './paths.mjs'
import { SetupError, run } from './step.mjs'

const report = join(RUNTIME, 'vitest.json')
const failures = []

async function stage(title, command, args, options) {
  console.log(`\n— ${title}`)
  const started = Date.now()
  try {
    await run(command, args, options)
  } catch (error) {
    if (!(error instanceof SetupError)) throw error
    console.error(`✗ ${title}: ${error.message}`)
    failures.push(title)
  }
  console.log(`  ${((Date.now() - started) / 1000).toFixed(0)} s`)
}

mkdirSync(RUNTIME, { recursive: true })
rmSync(report, { force: true })
await stage('format, lint, types, layers, unused code', 'npm', ['run', '--silent', 'check'])
await stage('tests', join(ROOT, 'node_modules', '.bin', 'vitest'), ['run', '--reporter=default', '--reporter=json', `--outputFile.json=${report}`])
for (const notebook of readdirSync(join(ROOT, 'notebooks')).filter((name) => name.endsWith('.ipynb'))) {
  const args = [join(ROOT, 'kernel', 'run_notebook.py'), join(ROOT, 'notebooks', notebook), join(OUT, 'test')]
  await stage(`notebook ${notebook}`, VENV_PYTHON, args, { env: { ...process.env, ZEROSEARCH_QUICK: '1' } })
}
const { numPassedTests = 0, numFailedTests = 0 } = existsSync(report) ? JSON.parse(readFileSync(report, 'utf8')) : {}
if (failures.length > 0) console.error(`\n✗ failed: ${failures.join('; ')}`)
console.log(`\n${numPassedTests} passed, ${Math.max(numFailedTests, failures.length)} failed`)
process.exit(failures.length > 0 ? 1 : 0)
