import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Lab, missing } from './lab.js'

describe.skipIf(missing)(`the stop button (${missing ?? 'JupyterLab'})`, () => {
  let lab: Lab
  beforeAll(async () => void (lab = await Lab.start()))
  afterAll(() => lab?.stop())

  it.each([
    ['a loop', 'for (;;) n++'],
    ['an awaited promise', 'n++; await new Promise(() => {})'],
  ])('ends %s within a second; the kernel keeps its state', async (name, code) => {
    const notebook = await lab.open(`${name}.ipynb`, ['let n = 1', code, '[n > 1, "alive"]'])
    await notebook.run(0)
    await notebook.start(1)
    await notebook.page.waitForTimeout(500)
    const milliseconds = await notebook.stop(1)
    console.log(`${name}: ended ${milliseconds.toFixed(0)} ms after the click`)
    expect(milliseconds).toBeLessThan(1500)
    expect(await notebook.output(1).innerText()).toContain('Interrupted')
    expect(await notebook.run(2)).toContain("[ true, 'alive' ]")
    await notebook.screenshot(`stop ${name}`)
    await notebook.close()
  })

  it('ends a training run, and the next cell runs', async () => {
    const notebook = await lab.open('training.ipynb', [
      `import * as zs from 'zerosearch'
const policy = await zs.loadModel(zs.mini.checkpoint('policy'), { slots: 96 })
const writer = await zs.loadModel(zs.mini.checkpoint('simulator'), { slots: 96 })
const simulator = zs.createSimulator(writer, { prompt: zs.mini.simulatorPrompt })
const questions = await zs.mini.questions('mini-nq', 'train')
let updates = 0`,
      `await zs.train({
  algorithm: 'grpo', policy, searchEngine: simulator, questions, protocol: zs.mini.protocol,
  curriculum: { start: 0, end: 0.3 }, updates: 100, questionsPerUpdate: 4, groupSize: 4, learningRate: 1e-4,
  onUpdate: async (record) => { updates++; console.log('update', record.update); return {} },
})`,
      '[updates > 0, "alive"]',
    ])
    expect(await notebook.run(0, 120)).toBe('')
    await notebook.start(1)
    await notebook.output(1).getByText('update 1').waitFor({ timeout: 120_000 })
    const milliseconds = await notebook.stop(1)
    console.log(`training: ended ${milliseconds.toFixed(0)} ms after the click`)
    await notebook.screenshot('stop training')
    expect(milliseconds).toBeLessThan(2000)
    expect(await notebook.output(1).innerText()).toContain('TrainingStopped')
    expect(await notebook.run(2)).toContain("[ true, 'alive' ]")
    await notebook.close()
  }, 300_000)
})
