// The package's outputs in the running kernel: a cell's last expression shows as `display` shows it.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KernelClient, errorOf, resultText } from './client.js'
import type { Answer } from './client.js'

let kernel: KernelClient
beforeAll(async () => {
  kernel = await KernelClient.start()
  await show('import * as zs from "zerosearch"; import { table } from "arquero"')
})
afterAll(() => kernel.stop())

/** What a cell shows: its outputs' kinds and bundles. */
async function show(code: string): Promise<{ type: string; data: Record<string, string>; id: string | undefined }[]> {
  const answer: Answer = await kernel.execute(code)
  expect(errorOf(answer)?.traceback.join('\n'), code).toBeUndefined()
  return answer.outputs
    .filter(({ content }) => content['data'])
    .map(({ type, content }) => ({
      type,
      data: content['data'] as Record<string, string>,
      id: (content['transient'] as { display_id?: string } | undefined)?.display_id,
    }))
}

describe("a cell's last expression", () => {
  it('shows an Arquero table as ours, though it has a toHTML of its own', async () => {
    const [result] = await show('table({ name: ["<script>"], n: [1] })')
    const [shown] = await show('await zs.display(table({ name: ["<script>"], n: [1] }))')
    expect(result).toMatchObject({ type: 'execute_result', data: { 'text/plain': 'name      n\n<script>  1' } })
    expect(result!.data['text/html']).toContain('>&lt;script&gt;</td>')
    expect(shown).toMatchObject({ type: 'display_data', data: result!.data })
  })

  it('shows data frames, figures and documents', async () => {
    const [frame] = await show('await zs.toDataFrame(table({ n: [1, 2] }))')
    expect(frame!.data['text/plain']).toBe('   n\n0  1\n1  2')
    const [figure] = await show('({ data: [{ type: "bar", y: [1] }], layout: { width: 200, height: 100 } })')
    expect(Object.keys(figure!.data)).toEqual(['application/vnd.plotly.v1+json', 'text/html', 'text/plain'])
    const [documents] = await show('[{ title: "T", text: "one", rank: 1 }]')
    expect(documents!.data['text/html']).toContain('<b>T</b>: one')
  })

  it('shows values of other kinds as Node prints them', async () => {
    const [result] = await show('({ data: [1], layout: { rows: 2 } })')
    expect(result!.data).toEqual({ 'text/plain': '{ data: [ 1 ], layout: { rows: 2 } }' })
  })
})

it('progress and logs change in place', async () => {
  const outputs = await show(
    'const log = zs.foldingLog("read"); for await (const n of zs.track([1, 2], { label: "read", unit: "files" })) log.write(`file ${n}`); await log.flush()',
  )
  const ids = new Set(outputs.map(({ id }) => id))
  expect(ids.size).toBe(2)
  for (const id of ids) {
    const own = outputs.filter((output) => output.id === id)
    expect(own.map(({ type }) => type)).toEqual(own.map((_, i) => (i === 0 ? 'display_data' : 'update_display_data')))
  }
  expect(outputs.map(({ data }) => data['text/plain'])).toContainEqual(
    expect.stringMatching(/^read: 2 files in 0\.\d s/),
  )
})

it('a key that is asked for is found by engines, and stands in no output and no history', async () => {
  kernel.onInput = (prompt, password) => (password && prompt === 'SERPAPI_API_KEY: ' ? 'sk-sesame' : '')
  expect(await show("await zs.askKey('SERPAPI_API_KEY')")).toEqual([])
  const found = await kernel.execute("zs.serpApiEngine().name + process.env['SERPAPI_API_KEY']!.length")
  expect(resultText(found)).toBe("'serpapi9'")
  const { history } = await kernel.request('history_request', { hist_access_type: 'tail', n: 10, output: true })
  expect(JSON.stringify(history)).toContain('askKey')
  expect(JSON.stringify([history, kernel.published])).not.toContain('sesame')
  expect(kernel.log).not.toContain('sesame')
  const unattended = await kernel.execute("await zs.askKey('SERPAPI_API_KEY')", { allow_stdin: false })
  expect(errorOf(unattended)?.evalue).toMatch(/askKey: SERPAPI_API_KEY: .*set the value in the environment/)
})
