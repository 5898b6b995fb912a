import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Lab, missing } from './lab.js'
import type { NotebookPage } from './notebook-page.js'

describe.skipIf(missing)(`a slider (${missing ?? 'JupyterLab'})`, () => {
  let lab: Lab
  let notebook: NotebookPage
  const input = () => notebook.output(0).locator('input[type=range]')
  const shown = () => notebook.output(0).locator('.zerosearch-slider output').innerText()

  beforeAll(async () => {
    lab = await Lab.start()
    notebook = await lab.open('slider.ipynb', [
      `import * as zs from 'zerosearch'
const s = zs.slider({ min: 0, max: 10, value: 3, label: 'noise' })
s.on('change:value', (value) => console.log('now', value))
s`,
      's.get("value")',
      's.set("value", 8)',
      `const until = (wanted: number) => new Promise<void>((done) => s.on('change:value', (value) => { if (value === wanted) done() }))
await until(9)
'awaited'`,
    ])
    await notebook.run(0)
    await input().waitFor()
  })
  afterAll(() => lab?.stop())

  it('shows its label and value', async () => {
    expect(await notebook.output(0).innerText()).toContain('noise')
    expect([await input().inputValue(), await shown()]).toEqual(['3', '3'])
  })

  it('moved on the page changes the value in TypeScript, and calls back in its cell', async () => {
    await input().focus()
    await notebook.page.keyboard.press('ArrowRight')
    expect(await shown()).toBe('4')
    await notebook.output(0).getByText('now 4').waitFor()
    expect(await notebook.run(1)).toContain('4')
  })

  it('set in TypeScript moves on the page', async () => {
    await notebook.run(2)
    await notebook.output(0).locator('output', { hasText: '8' }).waitFor()
    expect(await input().inputValue()).toBe('8')
    await notebook.screenshot('slider light')
    await notebook.theme('JupyterLab Dark')
    await notebook.screenshot('slider dark')
  })

  it('moves while a cell awaits', async () => {
    await notebook.start(3)
    await input().focus()
    await notebook.page.keyboard.press('ArrowRight')
    await notebook.ended(3)
    expect(await notebook.output(3).innerText()).toContain('awaited')
  })

  it('is there again, and moves, when the page was loaded anew', async () => {
    await notebook.command('docmanager:save')
    await notebook.page.reload()
    await notebook.ready()
    await input().waitFor()
    expect([await input().inputValue(), await shown()]).toEqual(['9', '9'])
    await input().focus()
    await notebook.page.keyboard.press('ArrowLeft')
    await notebook.page.waitForTimeout(300)
    expect(await notebook.run(1)).toContain('8')
  })
})
