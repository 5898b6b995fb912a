import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Lab, missing } from './lab.js'

/** After a flood of output the Jupyter server drops what comes for a while. */
const SERVER_WINDOW_MS = 4000

describe.skipIf(missing)(`output (${missing ?? 'JupyterLab'})`, () => {
  let lab: Lab
  beforeAll(async () => void (lab = await Lab.start()))
  afterAll(() => lab?.stop())

  it('of documents shows their text, whatever it holds: no script runs', async () => {
    // Short enough for a table's cell, which cuts long text.
    const attack = '<script>hit = 1</script></div></li><img src="x" onerror="hit = 2"><b>bold</b>'
    const notebook = await lab.open('attack.ipynb', [
      `import * as zs from 'zerosearch'
const attack = ${JSON.stringify(attack)}
await zs.display([{ rank: 1, title: attack, text: attack }])`,
      `await zs.display({
  question: { id: 'q', question: attack, goldAnswers: [attack], dataset: attack, supportingFacts: [] },
  turns: [{ text: '<think>' + attack + '</think><search>x</search>', observation: { text: attack, documents: [{ rank: 1, title: attack, text: attack }] } }],
  answer: attack, stopReason: 'answered', searches: 1, lossMask: [],
  failure: { boundary: 'simulator', message: attack },
})`,
      `await zs.display(zs.comparisonTable([{ id: 'q', method: attack, dataset: attack, question: attack, prediction: attack, goldAnswers: [attack],
  em: 1, coverEm: 1, f1: 1, searches: 1, seed: 0 } as any]))`,
    ])
    for (const cell of [0, 1, 2]) {
      await notebook.run(cell)
      await notebook
        .output(cell)
        .locator('summary')
        .evaluateAll((all) => all.forEach((s) => (s as unknown as { click(): void }).click()))
      expect(await notebook.output(cell).innerText()).toContain(attack)
      expect(await notebook.output(cell).locator('script, b:text-is("bold"), img[src="x"]').count()).toBe(0)
    }
    expect(await notebook.page.evaluate(() => (globalThis as { hit?: number }).hit)).toBeUndefined()
    expect(await notebook.trusted()).toEqual([true, true, true])
    await notebook.screenshot('attack')
    await notebook.close()
  })

  it.each([
    ['30,000 lines', 'for (let i = 0; i < 30000; i++) console.log("line", i)', /line 0\n(.*\n)*line 29999\n/],
    // The Jupyter server stops what exceeds its limit, whatever the kernel; and says so.
    [
      '100 MB',
      'for (let i = 0; i < 100; i++) process.stdout.write(("x".repeat(99) + "\\n").repeat(1e4))',
      /IOPub data rate exceeded/,
    ],
  ])(
    'of %s leaves the page and the kernel alive',
    async (name, code, shown) => {
      const notebook = await lab.open(`${name}.ipynb`, [code, '"alive"'])
      const start = performance.now()
      await notebook.start(0)
      await notebook.ended(0, 200)
      console.log(`${name}: ended after ${((performance.now() - start) / 1000).toFixed(1)} s`)
      const text = await notebook.output(0).locator('.jp-OutputArea-output').allTextContents()
      expect(shown.test(text.join(''))).toBe(true)
      expect(await notebook.page.evaluate(() => 1 + 1)).toBe(2)
      await notebook.page.waitForTimeout(SERVER_WINDOW_MS)
      expect(await notebook.run(1)).toContain('alive')
      await notebook.screenshot(`output ${name}`)
      await notebook.close()
    },
    300_000,
  )
})
