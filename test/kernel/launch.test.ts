import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, expect, it, vi } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'launch-'))
afterAll(() => rmSync(folder, { recursive: true }))
const script = join(folder, 'main.mjs')
writeFileSync(
  script,
  `import { createRequire } from 'node:module'
  const loaded = Object.keys(createRequire(import.meta.url).cache).some((file) => file.endsWith('/typescript.js'))
  console.log(JSON.stringify({ loaded, argv: process.argv.slice(1), options: process.execArgv, random: Math.random() }))`,
)

/** Starts a script in the kernel's place. */
function launch(options: string) {
  const args = [resolve('kernel/launch.sh'), process.execPath, script, 'connection.json']
  const env = { ...process.env, NODE_OPTIONS: options }
  const { stdout, stderr } = spawnSync('/bin/sh', args, { encoding: 'utf8', env })
  expect(stderr).toBe('')
  return JSON.parse(stdout) as { loaded: boolean; argv: string[]; options: string[]; random: number }
}

it('starts from the snapshot, in which TypeScript is loaded, as if it were started without', () => {
  const { loaded, argv, options, random } = launch('')
  expect({ loaded, argv }).toEqual({ loaded: true, argv: [script, 'connection.json'] })
  expect(options.join(' ')).not.toContain('snapshot')
  expect(launch('').random).not.toBe(random)
})

it('starts without the snapshot where Node is given options, for which it was not made', () => {
  const { loaded, argv } = launch('--max-old-space-size=2048')
  expect({ loaded, argv }).toEqual({ loaded: false, argv: [script, 'connection.json'] })
})

it('ends when the server that started it is gone', async () => {
  const connection = join(folder, 'connection.json')
  const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 5 }
  writeFileSync(connection, JSON.stringify({ transport: 'ipc', ip: join(folder, 'k'), key: 'k', ...ports }))
  const args = [resolve('kernel/launch.sh'), process.execPath, resolve('dist/kernel/main.js'), connection]
  const server = `const { spawn } = require('node:child_process')
    const env = { ...process.env, JPY_PARENT_PID: String(process.pid), JUPYTER_DATA_DIR: ${JSON.stringify(folder)} }
    const kernel = spawn('/bin/sh', ${JSON.stringify(args)}, { stdio: 'ignore', env })
    const bound = setInterval(() => {
      if (!require('node:fs').existsSync(${JSON.stringify(join(folder, 'k-5'))})) return
      console.log(kernel.pid)
      process.exit()
    }, 50)`
  const { stdout } = spawnSync(process.execPath, ['-e', server], { encoding: 'utf8' })
  const isThere = (): boolean => {
    try {
      return process.kill(Number(stdout), 0)
    } catch {
      return false
    }
  }
  expect(isThere()).toBe(true)
  await vi.waitUntil(() => !isThere(), 10_000)
})
