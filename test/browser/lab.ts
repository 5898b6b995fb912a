import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import type { Browser } from 'playwright-core'
import { ROOT, VENV_PYTHON, figureStyles, jupyterEnvironment } from '../kernel/venv.js'
import { NotebookPage } from './notebook-page.js'

const SCREENSHOTS = join(ROOT, '.runtime', 'screenshots')

const CHROMIUM = [
  process.env['CHROMIUM'],
  ...['chromium', 'chromium-browser', 'google-chrome'].map((name) => `/usr/bin/${name}`),
].find((path) => path !== undefined && existsSync(path))

/** Why these tests can't run here; undefined where they can. */
export const missing: string | undefined = process.env['CI']
  ? 'not run on CI'
  : !existsSync(VENV_PYTHON)
    ? 'JupyterLab is not set up: npm run setup'
    : CHROMIUM === undefined
      ? 'no Chromium: install it, or name its file in CHROMIUM'
      : undefined

const START_SECONDS = 60
const END_SECONDS = 15

/** JupyterLab on a free port of this machine, with a folder, settings and a list of trusted notebooks of its own, and a browser. */
export class Lab {
  /** Inside the clone, so that cells find its packages. */
  readonly folder = mkdtempSync(join(ROOT, '.runtime', 'browser-'))
  readonly #notebooks = join(this.folder, 'notebooks')
  readonly #token = randomUUID()
  #server!: ChildProcess
  #browser!: Browser
  #port = 0
  #log = ''

  static async start(): Promise<Lab> {
    const lab = new Lab()
    try {
      await lab.#start()
    } catch (error) {
      await lab.stop()
      throw error
    }
    return lab
  }

  async #start(): Promise<void> {
    mkdirSync(this.#notebooks)
    mkdirSync(SCREENSHOTS, { recursive: true })
    const apputils = join(this.folder, 'settings', '@jupyterlab', 'apputils-extension')
    mkdirSync(apputils, { recursive: true })
    // No question about news in front of the notebook.
    writeFileSync(
      join(apputils, 'notification.jupyterlab-settings'),
      '{ "fetchNews": "false", "checkForUpdates": false }',
    )
    this.#port = await freePort()
    const env = this.environment({ ZEROSEARCH_QUICK: '1', JUPYTER_TOKEN: this.#token })
    const settings = [
      figureStyles(env),
      '--no-browser',
      '--ServerApp.ip=127.0.0.1',
      `--ServerApp.port=${this.#port}`,
      '--ServerApp.port_retries=0',
      `--ServerApp.root_dir=${this.#notebooks}`,
      '--LabApp.expose_app_in_browser=True',
    ]
    if (process.getuid?.() === 0) settings.push('--allow-root')
    this.#server = spawn(VENV_PYTHON, ['-m', 'jupyterlab', ...settings], {
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.#server.stderr!.on('data', (chunk) => (this.#log += String(chunk)))
    this.#browser = await chromium.launch({ executablePath: CHROMIUM! })
    const end = Date.now() + START_SECONDS * 1000
    while (!(await this.#answers())) {
      if (Date.now() > end || this.#server.exitCode !== null)
        throw new Error(`JupyterLab did not start within ${START_SECONDS} s\n${this.#log}`)
      await new Promise((resolve) => setTimeout(resolve, 200))
    }
  }

  /** Of this JupyterLab and of Jupyter's commands beside it. */
  environment(more: Record<string, string> = {}): NodeJS.ProcessEnv {
    const place = (name: string): string => join(this.folder, name)
    return jupyterEnvironment({
      JUPYTER_CONFIG_DIR: place('config'),
      JUPYTER_DATA_DIR: place('data'),
      JUPYTER_RUNTIME_DIR: place('runtime'),
      JUPYTERLAB_SETTINGS_DIR: place('settings'),
      JUPYTERLAB_WORKSPACES_DIR: place('workspaces'),
      ...more,
    })
  }

  /** Where a notebook of that name lies. */
  path(name: string): string {
    return join(this.#notebooks, name)
  }

  /** Opens a notebook that is there, or that is made of these cells. */
  async open(name: string, cells?: readonly string[]): Promise<NotebookPage> {
    if (cells) writeFileSync(this.path(name), notebookText(cells))
    const page = await this.#browser.newPage({ viewport: { width: 1300, height: 1000 } })
    await page.goto(`http://127.0.0.1:${this.#port}/lab/tree/${name}?token=${this.#token}&reset`)
    const notebook = new NotebookPage(page, SCREENSHOTS)
    await notebook.ready()
    return notebook
  }

  /** Opens a page that was saved; nothing is fetched from the network for it. */
  async openFile(path: string): Promise<NotebookPage> {
    const page = await this.#browser.newPage({ viewport: { width: 1200, height: 1000 } })
    await page.route(/^https?:/, (route) => route.abort())
    await page.goto(`file://${path}`)
    return new NotebookPage(page, SCREENSHOTS)
  }

  /** Ends the browser, the server and, through it, the kernels. */
  async stop(): Promise<void> {
    await this.#browser?.close()
    const server = this.#server
    if (server && server.exitCode === null) {
      const ended = new Promise((resolve) => server.once('exit', resolve))
      server.kill('SIGTERM')
      const timer = setTimeout(() => server.kill('SIGKILL'), END_SECONDS * 1000)
      await ended
      clearTimeout(timer)
    }
    rmSync(this.folder, { recursive: true, force: true })
  }

  async #answers(): Promise<boolean> {
    try {
      return (await fetch(`http://127.0.0.1:${this.#port}/api?token=${this.#token}`)).ok
    } catch {
      return false
    }
  }
}

function notebookText(cells: readonly string[]): string {
  const kernelspec = { name: 'zerosearch', display_name: 'TypeScript (zerosearch)', language: 'typescript' }
  const code = (source: string, i: number): object => ({
    ...{ cell_type: 'code', id: `cell-${i}`, source },
    ...{ metadata: {}, outputs: [], execution_count: null },
  })
  return JSON.stringify({ nbformat: 4, nbformat_minor: 5, metadata: { kernelspec }, cells: cells.map(code) })
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo
      server.close(() => resolve(port))
    })
  })
}
