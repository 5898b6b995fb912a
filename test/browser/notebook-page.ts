import { join } from 'node:path'
import type { Locator, Page } from 'playwright-core'

/** JupyterLab's own application, which the server was told to show to the page. */
interface App {
  jupyterapp: {
    commands: { execute(id: string, args?: object): Promise<unknown> }
    shell: { currentWidget: { content: { model: { cells: Iterable<{ type: string; trusted: boolean }> } } } }
  }
}

/** A notebook as a person sees it: cells, their outputs, the stop button. */
export class NotebookPage {
  readonly page: Page
  readonly #screenshots: string

  constructor(page: Page, screenshots: string) {
    this.page = page
    this.#screenshots = screenshots
  }

  /** Waits for the notebook and its kernel. */
  async ready(): Promise<void> {
    await this.page.getByText('TypeScript (zerosearch) | Idle').waitFor({ timeout: 60_000 })
  }

  cell(index: number): Locator {
    return this.page.locator('.jp-CodeCell').nth(index)
  }

  output(index: number): Locator {
    return this.cell(index).locator('.jp-Cell-outputArea')
  }

  /** Runs a code cell and does not wait for its end. */
  async start(index: number): Promise<void> {
    await this.cell(index).locator('.cm-content').click()
    await this.page.keyboard.press('Control+Enter')
    await this.#prompt(index, /\[\*\]/)
  }

  /** Waits for the end of a cell that was started. */
  async ended(index: number, seconds = 60): Promise<void> {
    await this.#prompt(index, /\[\d+\]/, seconds)
  }

  /** Runs a code cell to its end; the text of its output. */
  async run(index: number, seconds = 60): Promise<string> {
    await this.cell(index).locator('.cm-content').click()
    const before = await this.cell(index).locator('.jp-InputPrompt').innerText()
    await this.page.keyboard.press('Control+Enter')
    await this.page.waitForFunction(
      ([i, old]) => {
        const text = document.querySelectorAll('.jp-CodeCell')[i]!.querySelector('.jp-InputPrompt')!.textContent ?? ''
        return text !== old && /\[\d+\]/.test(text)
      },
      [index, before] as const,
      { timeout: seconds * 1000 },
    )
    return this.output(index).innerText()
  }

  /** Presses the stop button; the milliseconds until the cell has ended. */
  async stop(index: number): Promise<number> {
    const start = performance.now()
    await this.page.locator('.jp-NotebookPanel-toolbar [data-command="notebook:interrupt-kernel"]').first().click()
    await this.ended(index, 30)
    return performance.now() - start
  }

  /** One of JupyterLab's commands. */
  async command(id: string, args: object = {}): Promise<void> {
    await this.page.evaluate(
      async ([id, args]) => void (await (globalThis as unknown as App).jupyterapp.commands.execute(id, args)),
      [id, args] as const,
    )
  }

  async theme(name: 'JupyterLab Light' | 'JupyterLab Dark'): Promise<void> {
    await this.command('apputils:change-theme', { theme: name })
    await this.page.locator(`body[data-jp-theme-name="${name}"]`).waitFor({ state: 'attached' })
    await this.page.locator('#jupyterlab-splash').waitFor({ state: 'detached' })
  }

  /** For each code cell, whether JupyterLab trusts its output. */
  trusted(): Promise<boolean[]> {
    return this.page.evaluate(() => {
      const { cells } = (globalThis as unknown as App).jupyterapp.shell.currentWidget.content.model
      return [...cells].filter(({ type }) => type === 'code').map(({ trusted }) => trusted)
    })
  }

  async screenshot(name: string, of: Page | Locator = this.page): Promise<void> {
    await of.screenshot({ path: join(this.#screenshots, `${name}.png`) })
  }

  async close(): Promise<void> {
    await this.page.close()
  }

  async #prompt(index: number, pattern: RegExp, seconds = 30): Promise<void> {
    await this.cell(index)
      .locator('.jp-InputPrompt', { hasText: pattern })
      .waitFor({ timeout: seconds * 1000 })
  }
}
