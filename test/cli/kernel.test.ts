import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { afterAll, describe, expect, it } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'jupyter-'))
afterAll(() => rmSync(folder, { recursive: true }))
const user = join(folder, 'user')
const prefix = join(folder, 'environment')

/** Runs the compiled command, in a world where Jupyter's folders are these alone. */
function zerosearch(...args: string[]): { status: number | null; said: string } {
  const env = { ...process.env, JUPYTER_DATA_DIR: user, JUPYTER_PATH: join(prefix, 'share', 'jupyter'), PYTHON: 'none' }
  const { status, stdout, stderr } = spawnSync(process.execPath, ['dist/cli/main.js', ...args], {
    encoding: 'utf8',
    env,
  })
  return { status, said: stdout + stderr }
}

describe('zerosearch kernel', () => {
  it('installs for the user by default: what starts it, its logos, the stop button by message', () => {
    const spec = join(user, 'kernels', 'zerosearch')
    expect(zerosearch('kernel', 'install')).toEqual({ status: 0, said: `installed ${spec}\n` })
    expect(readdirSync(spec).sort()).toEqual(['kernel.json', 'logo-32x32.png', 'logo-64x64.png', 'logo-svg.svg'])
    const { argv, interrupt_mode: mode } = JSON.parse(readFileSync(join(spec, 'kernel.json'), 'utf8')) as {
      argv: string[]
      interrupt_mode: string
    }
    const files = [resolve('kernel/launch.sh'), process.execPath, resolve('dist/kernel/main.js')]
    expect(argv).toEqual(['/bin/sh', ...files, '{connection_file}'])
    expect(mode).toBe('message')
  })

  it('installs under a prefix, lists both in the order in which Jupyter looks, and says what points nowhere', () => {
    const spec = join(prefix, 'share', 'jupyter', 'kernels', 'zerosearch')
    zerosearch('kernel', 'install', '--prefix', prefix)
    writeFileSync(join(spec, 'kernel.json'), '{ "argv": ["node", "gone/main.js", "{connection_file}"] }')
    const lines = zerosearch('kernel', 'list').said.split('\n')
    expect(lines[0]).toBe(`${spec}  ->  gone/main.js  (its files are gone)`)
    expect(lines[1]).toBe(`${join(user, 'kernels', 'zerosearch')}  ->  ${join(process.cwd(), 'dist/kernel/main.js')}`)
  })

  it('uninstalls one place, and says where else it is when it is not there', () => {
    expect(zerosearch('kernel', 'uninstall', '--prefix', prefix).status).toBe(0)
    const again = zerosearch('kernel', 'uninstall', '--prefix', prefix)
    expect(again.status).toBe(1)
    expect(again.said).toContain(`it is in ${join(user, 'kernels')}`)
    zerosearch('kernel', 'uninstall', '--user')
    expect(zerosearch('kernel', 'list').said).not.toContain(folder)
  })

  it('refuses two places, and a Python that does not answer', () => {
    expect(zerosearch('kernel', 'install', '--user', '--prefix', prefix)).toMatchObject({ status: 1 })
    const { status, said } = zerosearch('kernel', 'install', '--sys-prefix')
    expect(status).toBe(1)
    expect(said).toBe(
      'kernel: --sys-prefix asks none for its environment, and it did not answer; activate the environment, set PYTHON, or name the folder by --prefix\n',
    )
  })
})
