// A trajectory of 500 tokens, token by token, as it stands in the notebook.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Lab, missing } from './lab.js'

const VIEW = `import * as zs from 'zerosearch'
const policy = await zs.loadModel(zs.mini.checkpoint('policy'), { slots: 1 })
const [question] = await zs.mini.questions('mini-hotpotqa', 'test')
const engine = await zs.createBm25Engine(await zs.mini.documents('test'))
const short = await zs.rollOut(policy, question, { searchEngine: engine, protocol: zs.mini.protocol })
const times = Math.ceil(500 / short.ids.length)
const repeated = <T>(row: readonly T[]): T[] => Array.from({ length: times }, () => row).flat().slice(0, 500)
const trajectory = {
  ...short, ids: repeated(short.ids), lossMask: repeated(short.lossMask), logprobs: repeated(short.logprobs),
}
const batch = [trajectory, { ...trajectory, answer: question.goldAnswers[0] }]
await zs.tokenView(trajectory, { policy, reference: policy, batch })`

describe.skipIf(missing)(`the token view (${missing ?? 'JupyterLab'})`, () => {
  let lab: Lab
  beforeAll(async () => void (lab = await Lab.start()))
  afterAll(() => lab?.stop())

  it.each(['JupyterLab Light', 'JupyterLab Dark'] as const)('has 500 tokens that can be read: %s', async (theme) => {
    const notebook = await lab.open('token-view.ipynb', [VIEW])
    await notebook.theme(theme)
    const text = await notebook.run(0, 120)
    expect(text).toContain('500 tokens')
    await notebook.screenshot(`token-view-${theme === 'JupyterLab Dark' ? 'dark' : 'light'}`)
    await notebook.close()
  })
})
