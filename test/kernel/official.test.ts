// Jupyter's own kernel tests, run in the environment that the set-up made.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const python = join(root, '.runtime', 'venv', 'bin', 'python')
const { jupyterEnvironment } = (await import(join(root, 'kernel', 'jupyter.mjs'))) as {
  jupyterEnvironment: () => NodeJS.ProcessEnv
}

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

it.runIf(existsSync(python))('passes all tests of jupyter_kernel_test, none of them skipped', () => {
  const { stderr } = spawnSync(python, [join(import.meta.dirname, 'official_tests.py')], {
    encoding: 'utf8',
    env: jupyterEnvironment(),
  })
  const results = [...stderr.matchAll(/^(test_\w+) .*\.\.\. (.*)$/gm)].map(([, name, result]) => [name, result])
  expect(results, stderr).toEqual(TESTS.map((name) => [name, 'ok']))
})
