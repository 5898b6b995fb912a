// Jupyter's own kernel tests, run in the environment that the set-up made.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'
import { VENV_PYTHON, jupyterEnvironment } from './venv.js'

const data = mkdtempSync(join(tmpdir(), 'jupyter-'))
afterAll(() => rmSync(data, { recursive: true }))

/** What ipykernel runs of them. */
const TESTS = [
  'test_clear_output',
  'test_completion',
  'test_display_data',
  'test_error',
  'test_execute_result',
  'test_execute_stderr',
  'test_execute_stdout',
  'test_history',
  'test_inspect',
  'test_is_complete',
  'test_kernel_info',
  'test_pager',
]

it.runIf(existsSync(VENV_PYTHON))('passes all tests of jupyter_kernel_test, none of them skipped', () => {
  const { stderr } = spawnSync(VENV_PYTHON, [join(import.meta.dirname, 'official_tests.py')], {
    encoding: 'utf8',
    // Without the history of earlier notebooks, in which the test would find its own inputs.
    env: jupyterEnvironment({ JUPYTER_DATA_DIR: data }),
  })
  const results = [...stderr.matchAll(/^(test_\w+) .*\.\.\. (.*)$/gm)].map(([, name, result]) => [name, result])
  expect(results, stderr).toEqual(TESTS.map((name) => [name, 'ok']))
})
