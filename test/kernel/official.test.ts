// Jupyter's own kernel tests, run in the environment that the set-up made.
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..', '..')
const python = join(root, '.runtime', 'venv', 'bin', 'python')
const { jupyterEnvironment } = (await import(join(root, 'kernel', 'jupyter.mjs'))) as {
  jupyterEnvironment: (more: Record<string, string>) => NodeJS.ProcessEnv
}

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

it.runIf(existsSync(python))('passes all tests of jupyter_kernel_test, none of them skipped', () => {
  const { stderr } = spawnSync(python, [join(import.meta.dirname, 'official_tests.py')], {
    encoding: 'utf8',
    // Without the history of earlier notebooks, in which the test would find its own inputs.
    env: jupyterEnvironment({ JUPYTER_DATA_DIR: data }),
  })
  const results = [...stderr.matchAll(/^(test_\w+) .*\.\.\. (.*)$/gm)].map(([, name, result]) => [name, result])
  expect(results, stderr).toEqual(TESTS.map((name) => [name, 'ok']))
})
