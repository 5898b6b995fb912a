// The Jupyter widget messaging protocol, 2.1, with the running kernel; the page's part is played here.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KernelClient, resultText, streamText } from './client.js'

type Content = Record<string, unknown>

let kernel: KernelClient
let id: string
const zs = 'import * as zs from "zerosearch"'

beforeAll(async () => {
  kernel = await KernelClient.start()
  const { outputs } = await kernel.execute(
    `${zs}\nconst bytes = Uint8Array.of(1, 2, 3)\nconst seen: unknown[] = []\n` +
      'const w = zs.widget({ esm: "export default {}", css: "b {}", state: { value: 1, bytes, list: [0, bytes] } })\nw',
  )
  const open = outputs.find(({ type }) => type === 'comm_open')!
  id = open.content['comm_id'] as string
  expect(open.metadata).toEqual({ version: '2.1.0' })
  expect(open.content).toMatchObject({
    target_name: 'jupyter.widget',
    data: {
      state: {
        ...{ _model_module: 'anywidget', _model_name: 'AnyModel', _view_module: 'anywidget', _view_name: 'AnyView' },
        ...{ _esm: 'export default {}', _css: 'b {}', value: 1, list: [0, null] },
      },
      buffer_paths: [['bytes'], ['list', 1]],
    },
  })
  expect(open.buffers.map((buffer) => [...buffer])).toEqual([
    [1, 2, 3],
    [1, 2, 3],
  ])
  expect(outputs.find(({ type }) => type === 'execute_result')!.content['data']).toEqual({
    'application/vnd.jupyter.widget-view+json': { version_major: 2, version_minor: 1, model_id: id },
    'text/plain': expect.stringMatching(/^Widget \{\s+value: 1/) as unknown,
  })
})
afterAll(() => kernel.stop())

/** Sends a comm message as the page would; what the kernel sent for it, to the last. */
async function message(comm: string, data: Content, buffers: Uint8Array[] = []) {
  const sent = await kernel.send('comm_msg', { comm_id: comm, data }, { buffers })
  await kernel.until(() =>
    kernel.published.some(
      ({ header, parent, content }) =>
        header.msg_type === 'status' && parent.msg_id === sent && content['execution_state'] === 'idle',
    ),
  )
  return kernel.published
    .filter(({ header, parent }) => header.msg_type === 'comm_msg' && parent.msg_id === sent)
    .map(({ content, buffers }) => ({ ...(content['data'] as Content), bytes: buffers.map((buffer) => [...buffer]) }))
}

describe('a widget', () => {
  it('takes the page’s update, echoes it, and calls back, in the output of the cell that asked', async () => {
    const cell = await kernel.send('execute_request', {
      code: 'const end = w.on("change:value", (value) => console.log("now", value)); 0',
    })
    await kernel.answer(cell)
    const echo = await message(id, { method: 'update', state: { value: 7, unknown: 1 }, buffer_paths: [] })
    expect(echo).toEqual([{ method: 'echo_update', state: { value: 7 }, buffer_paths: [], bytes: [] }])
    const printed = (): string =>
      kernel.published
        .filter(({ header, parent }) => header.msg_type === 'stream' && parent.msg_id === cell)
        .map(({ content }) => content['text'])
        .join('')
    await kernel.until(() => printed() === 'now 7\n')
    expect(resultText(await kernel.execute('end(); w.get("value")'))).toBe('7')
    await message(id, { method: 'update', state: { value: 8 }, buffer_paths: [] })
    expect(printed()).toBe('now 7\n')
  })

  it('takes and echoes bytes', async () => {
    const state = { list: [5, null] }
    const echo = await message(id, { method: 'update', state, buffer_paths: [['list', 1]] }, [Uint8Array.of(9)])
    expect(echo).toEqual([{ method: 'echo_update', state, buffer_paths: [['list', 1]], bytes: [[9]] }])
    expect(resultText(await kernel.execute('w.get("list")'))).toMatch(/^\[ 5, (Buffer|Uint8Array)\(1\) \[ 9 \] \]$/)
  })

  it('sends what is set, once, and calls back', async () => {
    const answer = await kernel.execute(
      'w.on("change:value", (value) => console.log("set", value)); w.set("value", 3); w.set("value", 3)',
    )
    const sent = answer.outputs.filter(({ type }) => type === 'comm_msg')
    expect(sent.map(({ content }) => content)).toEqual([
      { comm_id: id, data: { method: 'update', state: { value: 3 }, buffer_paths: [] } },
    ])
    expect(streamText(answer)).toBe('set 3\n')
  })

  it('takes updates while a cell awaits', async () => {
    const cell = await kernel.send('execute_request', {
      code: 'await new Promise<void>((done) => w.on("change:value", (value) => { if (value === 42) done() })); w.get("value")',
    })
    await message(id, { method: 'update', state: { value: 42 }, buffer_paths: [] })
    expect(resultText(await kernel.answer(cell))).toBe('42')
  })

  it('carries messages that are no state both ways', async () => {
    await kernel.execute('w.on("msg:custom", (content, buffers) => w.send({ back: content }, buffers))')
    const back = await message(id, { method: 'custom', content: { n: 1 } }, [Uint8Array.of(4)])
    await kernel.until(() => kernel.published.some(({ content }) => JSON.stringify(content).includes('"back"')))
    const custom = kernel.published.find(({ content }) => JSON.stringify(content).includes('"back"'))!
    expect(back).toEqual([])
    expect(custom.content['data']).toEqual({ method: 'custom', content: { back: { n: 1 } } })
    expect([...custom.buffers[0]!]).toEqual([4])
  })

  it('sends its whole state when asked, alone or with all others', async () => {
    const [own] = await message(id, { method: 'request_state' })
    expect(own).toMatchObject({ method: 'update', state: { _esm: 'export default {}', value: 42 } })
    await kernel.execute(`${zs}\nconst s = zs.slider({ min: 0, max: 10, step: 2, value: 4, label: "k" }); s`)
    await kernel.send('comm_open', { comm_id: 'control', target_name: 'jupyter.widget.control', data: {} })
    const [all] = await message('control', { method: 'request_states' })
    expect(all).toMatchObject({
      method: 'update_states',
      buffer_paths: [
        [id, 'state', 'bytes'],
        [id, 'state', 'list', 1],
      ],
      bytes: [[1, 2, 3], [9]],
    })
    const states = Object.values(all!['states' as keyof typeof all])
    expect(states).toHaveLength(2)
    expect(states[1]).toMatchObject({
      ...{ model_module: 'anywidget', model_name: 'AnyModel' },
      state: { min: 0, max: 10, step: 2, value: 4, label: 'k' },
    })
  })

  it('prints what a handler throws, and has the value all the same', async () => {
    await kernel.execute(
      'const t = zs.widget({ esm: "", state: { n: 0 } }); t.on("change:n", () => { throw new Error("planted") }); 0',
    )
    const open = kernel.published.filter(({ header }) => header.msg_type === 'comm_open').at(-1)!
    await message(open.content['comm_id'] as string, { method: 'update', state: { n: 1 }, buffer_paths: [] })
    expect(JSON.stringify(kernel.published.at(-2)?.content)).toContain('planted')
    expect(resultText(await kernel.execute('t.get("n")'))).toBe('1')
  })

  it('ends with close, once', async () => {
    const answer = await kernel.execute('w.close(); w.close(); w.set("value", 1); w.get("value")')
    expect(answer.outputs.filter(({ type }) => type.startsWith('comm')).map(({ type }) => type)).toEqual(['comm_close'])
    expect(resultText(answer)).toBe('1')
    const { comms } = await kernel.request('comm_info_request', { target_name: 'jupyter.widget' })
    expect(Object.keys(comms as object)).not.toContain(id)
  })
})
