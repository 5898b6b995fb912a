// The Jupyter protocol, 5.4, spoken with the running kernel.
import { mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KernelClient, errorOf, resultText, streamText } from './client.js'

let kernel: KernelClient
beforeAll(async () => void (kernel = await KernelClient.start()))
afterAll(() => kernel.stop())

describe('execute_request', () => {
  it('publishes busy, its input, its outputs and idle, in this order', async () => {
    const id = await kernel.send('execute_request', { code: 'console.log(1); 2' })
    await kernel.answer(id)
    const own = kernel.published.filter(({ parent }) => parent.msg_id === id)
    expect(own.map(({ header }) => header.msg_type)).toEqual([
      'status',
      'execute_input',
      'stream',
      'execute_result',
      'status',
    ])
  })

  it('counts, but for silent ones, which publish nothing', async () => {
    const first = (await kernel.execute('1')).reply['execution_count'] as number
    const silent = await kernel.execute('console.log("unseen"); 1', { silent: true })
    expect(silent.outputs).toEqual([])
    expect((await kernel.execute('1')).reply['execution_count']).toBe(first + 1)
  })

  it('does not count empty cells, nor those that are kept out of the history, and answers one without code', async () => {
    const first = (await kernel.execute('1')).reply['execution_count']
    expect((await kernel.execute(' \n')).reply).toMatchObject({ status: 'ok', execution_count: first })
    expect((await kernel.execute('1', { store_history: false })).reply['execution_count']).toBe(first)
    expect(await kernel.request('execute_request', {})).toMatchObject({ status: 'error', ename: 'TypeError' })
    expect(resultText(await kernel.execute('2'))).toBe('2')
  })

  it('evaluates user expressions, each with its own fault', async () => {
    const { reply } = await kernel.execute('const u = 20', {
      user_expressions: { good: 'u + 1', bad: 'u.nothing.there' },
    })
    expect(reply['user_expressions']).toMatchObject({
      good: { status: 'ok', data: { 'text/plain': '21' } },
      bad: { status: 'error' },
    })
  })

  it('aborts what is queued after an error, and nothing that comes later', async () => {
    const failing = await kernel.send('execute_request', { code: 'throw new Error("x")', stop_on_error: true })
    const queued = await kernel.send('execute_request', { code: '1' })
    expect((await kernel.answer(failing)).reply['status']).toBe('error')
    expect((await kernel.answer(queued)).reply['status']).toBe('aborted')
    expect(resultText(await kernel.execute('1'))).toBe('1')
    const going = await kernel.send('execute_request', { code: 'throw new Error("x")', stop_on_error: false })
    const next = await kernel.send('execute_request', { code: '7' })
    await kernel.answer(going)
    expect(resultText(await kernel.answer(next))).toBe('7')
  })

  it('asks for a line, and for a secret, which is not in any output', async () => {
    const asked: unknown[] = []
    kernel.onInput = (prompt, password) => (asked.push([prompt, password]), password ? 'sesame' : 'Ada')
    const answer = await kernel.execute(
      'const who = await Jupyter.input("name?"); const key = await Jupyter.secret("key?"); [who, key.length]',
    )
    expect(resultText(answer)).toBe("[ 'Ada', 6 ]")
    expect(asked).toEqual([
      ['name?', false],
      ['key?', true],
    ])
    expect(JSON.stringify(kernel.published)).not.toContain('sesame')
    const unattended = await kernel.execute('await Jupyter.input()', { allow_stdin: false })
    expect(errorOf(unattended)?.evalue).toContain('can’t ask')
  })
})

describe('output', () => {
  it('of 30,000 lines comes whole and in order', async () => {
    const answer = await kernel.execute('for (let i = 0; i < 30000; i++) console.log(i)')
    expect(streamText(answer)).toBe(Array.from({ length: 30_000 }, (_, i) => `${i}\n`).join(''))
  })

  it('of 100 MB comes whole, in few messages', async () => {
    const answer = await kernel.execute('for (let i = 0; i < 100; i++) process.stdout.write("x".repeat(1e6))')
    expect(streamText(answer).length).toBe(1e8)
    expect(answer.outputs.length).toBeLessThan(200)
  })

  it('flows while a cell keeps the thread busy', async () => {
    const id = await kernel.send('execute_request', {
      code: 'console.log("early"); const end = Date.now() + 1500; while (Date.now() < end);',
    })
    await kernel.until(() =>
      kernel.published.some(({ header, parent }) => header.msg_type === 'stream' && parent.msg_id === id),
    )
    expect(
      kernel.published.some(
        ({ header, parent, content }) =>
          header.msg_type === 'status' && parent.msg_id === id && content['execution_state'] === 'idle',
      ),
    ).toBe(false)
    await kernel.answer(id)
  })

  it('of timers goes to the cell that set them, after its end too; displays are updated in place', async () => {
    const first = await kernel.send('execute_request', {
      code: 'await Jupyter.display("one", { id: "d" }); setTimeout(() => { console.log("late"); void Jupyter.display("two", { id: "d", update: true }) }, 300); 1',
    })
    await kernel.answer(first)
    const second = await kernel.execute('await new Promise((r) => setTimeout(r, 500)); console.log("second")')
    expect(streamText(second)).toBe('second\n')
    const late = kernel.published.filter(
      ({ parent, header }) => parent.msg_id === first && ['stream', 'update_display_data'].includes(header.msg_type),
    )
    expect(late.map(({ content }) => content['text'] ?? content['transient'])).toEqual(['late\n', { display_id: 'd' }])
  })

  it('can be cleared, and paged', async () => {
    const answer = await kernel.execute('Jupyter.clearOutput(true); Jupyter.page("a long text")')
    expect(answer.outputs.map(({ type, content }) => [type, content['wait']])).toContainEqual(['clear_output', true])
    expect(answer.reply['payload']).toEqual([{ source: 'page', data: { 'text/plain': 'a long text' }, start: 0 }])
  })

  it('by tslab’s own display works', async () => {
    const answer = await kernel.execute('import * as tslab from "tslab"; tslab.display.html("<b>x</b>")')
    expect(answer.outputs.at(-1)).toMatchObject({
      type: 'display_data',
      content: { data: { 'text/html': '<b>x</b>' } },
    })
  })
})

describe('interrupt_request', () => {
  const cases = {
    'a pending await': 'await new Promise(() => {})',
    'a loop': 'for (;;) n++',
    'a loop after an await': 'await null; for (;;) n++',
    'a loop after a timer': 'await new Promise((r) => setTimeout(r, 10)); while (true) n++',
    'a loop in a timer': 'setTimeout(() => { do n++; while (true) }, 10); await new Promise(() => {})',
    'a recursion after an await':
      'const fib = (i: number): number => i < 2 ? i : fib(i - 1) + fib(i - 2); await null; fib(60)',
    'a callback of a built-in after an await': 'await null; Array.from({ length: 1e9 }, () => n)',
    'a method in a timer':
      'class A { f(i: number): number { return i < 2 ? i : this.f(i - 1) + this.f(i - 2) } }; setTimeout(() => new A().f(60), 10); await new Promise(() => {})',
    'a call in a library': '/^(a+)+b$/.test("a".repeat(40))',
    'a question': 'await Jupyter.input("?")',
    'what shows a value': '({ toHtml: () => new Promise(() => {}) })',
  }
  it.each(Object.entries(cases))(
    'ends %s within 1 s, state kept',
    async (_, code) => {
      kernel.onInput = () => undefined
      await kernel.execute('let n = 1')
      const id = await kernel.send('execute_request', { code, allow_stdin: code.includes('input') })
      await new Promise((resolve) => setTimeout(resolve, 300))
      const start = performance.now()
      await kernel.interrupt()
      const answer = await kernel.answer(id)
      expect(performance.now() - start).toBeLessThan(1000)
      expect(answer.reply['status']).toBe('error')
      expect(resultText(await kernel.execute('n > 0'))).toBe('true')
    },
    20_000,
  )

  it('of what JavaScript can’t stop says so, and ends the process, so that Jupyter starts it anew', async () => {
    const stuck = await KernelClient.start()
    const ended = new Promise<unknown>((resolve) =>
      stuck.process.once('exit', (code, signal) => resolve(code ?? signal)),
    )
    const id = await stuck.send('execute_request', {
      code: 'console.log("begins"); await null; new Function("for (;;);")()',
    })
    const printed = (name: string): (typeof stuck.published)[number] | undefined =>
      stuck.published.find(({ parent, content }) => parent.msg_id === id && content['name'] === name)
    await stuck.until(() => printed('stdout') !== undefined)
    await stuck.interrupt()
    expect(await ended).not.toBe(0)
    expect(printed('stderr')?.content['text']).toMatch(
      /^The cell could not be interrupted: .* The kernel restarts; variables are lost\.\n$/,
    )
    stuck.stop()
  })

  it('without a cell does nothing', async () => {
    await kernel.interrupt()
    expect(resultText(await kernel.execute('await new Promise((r) => setTimeout(r, 200)); 1'))).toBe('1')
  })
})

describe('comms', () => {
  it('carry data and bytes both ways, and close', async () => {
    await kernel.execute(
      'Jupyter.comms.register("echo", (comm) => { comm.onMessage = (data, buffers) => comm.send({ got: data.n + 1 }, { buffers: [Buffer.from(buffers[0]).reverse()] }) })',
    )
    await kernel.send('comm_open', { comm_id: 'c1', target_name: 'echo', data: {} })
    const id = await kernel.send('comm_msg', { comm_id: 'c1', data: { n: 1 } }, { buffers: [Buffer.from([1, 2, 3])] })
    const message = (): (typeof kernel.published)[number] | undefined =>
      kernel.published.find(({ header, parent }) => header.msg_type === 'comm_msg' && parent.msg_id === id)
    await kernel.until(() => message() !== undefined)
    expect(message()!.content).toEqual({ comm_id: 'c1', data: { got: 2 } })
    expect([...message()!.buffers[0]!]).toEqual([3, 2, 1])
    expect(await kernel.request('comm_info_request', { target_name: 'echo' })).toMatchObject({
      comms: { c1: { target_name: 'echo' } },
    })
    await kernel.send('comm_close', { comm_id: 'c1', data: {} })
    expect((await kernel.request('comm_info_request', {}))['comms']).toEqual({})
    const unknown = await kernel.send('comm_open', { comm_id: 'c2', target_name: 'nobody', data: {} })
    await kernel.until(() =>
      kernel.published.some(({ header, parent }) => header.msg_type === 'comm_close' && parent.msg_id === unknown),
    )
  })
})

describe('an editor', () => {
  it('completes members, with kinds and signatures, and names of earlier cells', async () => {
    await kernel.execute('const lookup = { alpha: 1, beta(x: string) { return x.length } }')
    const members = await kernel.request('complete_request', { code: 'lookup.b', cursor_pos: 8 })
    expect(members).toMatchObject({ matches: ['beta'], cursor_start: 7, cursor_end: 8 })
    expect(
      (members['metadata'] as { _jupyter_types_experimental: object[] })._jupyter_types_experimental[0],
    ).toMatchObject({ type: 'function', signature: 'beta(x: string): number' })
    expect(await kernel.request('complete_request', { code: '"é😀"; look', cursor_pos: 10 })).toMatchObject({
      matches: expect.arrayContaining(['lookup']) as unknown,
      cursor_start: 6,
      cursor_end: 10,
    })
  })

  it('labels what can be called as functions, and shows names without marks of TypeScript', async () => {
    await kernel.execute(
      'import { existsSync } from "node:fs"; import * as os from "node:os"; const arrow = (n: number) => n; class Shape {}; const count = 1',
    )
    const first = async (code: string): Promise<object | undefined> => {
      const { metadata } = await kernel.request('complete_request', { code, cursor_pos: code.length })
      return (metadata as { _jupyter_types_experimental: object[] })._jupyter_types_experimental[0]
    }
    expect(await first('existsSy')).toMatchObject({
      type: 'function',
      signature: expect.stringMatching(/^function/) as unknown,
    })
    expect(await first('os.cpu')).toMatchObject({ text: 'cpus', type: 'function' })
    expect(await first('arro')).toMatchObject({ type: 'function' })
    expect(await first('Shap')).toMatchObject({ type: 'class' })
    expect(await first('coun')).toMatchObject({ type: 'variable' })
    const { data } = await kernel.request('inspect_request', { code: 'existsSync', cursor_pos: 4, detail_level: 0 })
    expect((data as Record<string, string>)['text/plain']).toMatch(/^function existsSync\(path: /)
    expect((data as Record<string, string>)['text/plain']).not.toMatch(/alias|^import existsSync$/m)
  })

  it('inspects names of cells and of libraries, and calls', async () => {
    const text = async (code: string, cursor: number, level = 0): Promise<string> => {
      const reply = await kernel.request('inspect_request', { code, cursor_pos: cursor, detail_level: level })
      return String((reply['data'] as Record<string, unknown>)['text/plain'])
    }
    expect(await text('lookup', 3)).toContain('beta(x: string): number')
    expect(await text('JSON.stringify', 14)).toContain('Converts a JavaScript value')
    expect(await text('Math.max(1, ', 12)).toContain('max(...values: number[]): number')
    expect(
      (await kernel.request('inspect_request', { code: 'nothing_here', cursor_pos: 3, detail_level: 0 }))['found'],
    ).toBe(false)
  })

  it.each([
    ['1 + 1', 'complete'],
    ['function f() {', 'incomplete'],
    ['f(', 'incomplete'],
    ['`open', 'incomplete'],
    ['/* open', 'incomplete'],
    ['const a: number = [1,', 'incomplete'],
    ['let = = 3', 'invalid'],
    ['}', 'invalid'],
  ])('is told that %s is %s', async (code, status) => {
    expect((await kernel.request('is_complete_request', { code }))['status']).toBe(status)
  })
})

describe('history', () => {
  it('is found by range, tail and pattern, and survives a restart', async () => {
    const data = mkdtempSync(join(tmpdir(), 'history-'))
    const first = await KernelClient.start({ data })
    for (const code of ['11', '22', '11']) await first.execute(code)
    await first.execute('33', { store_history: false })
    expect(
      (
        await first.request('history_request', {
          hist_access_type: 'range',
          session: 0,
          start: 1,
          stop: 3,
          output: true,
        })
      )['history'],
    ).toEqual([
      [1, 1, ['11', '11']],
      [1, 2, ['22', '22']],
    ])
    first.stop()
    const second = await KernelClient.start({ data })
    await second.execute('44')
    expect((await second.request('history_request', { hist_access_type: 'tail', n: 2 }))['history']).toEqual([
      [1, 3, '11'],
      [2, 1, '44'],
    ])
    expect(
      (await second.request('history_request', { hist_access_type: 'search', pattern: '1?', unique: true, n: 5 }))[
        'history'
      ],
    ).toEqual([[1, 3, '11']])
    second.stop()
  })
})

describe('bad input', () => {
  it('with a wrong signature, broken JSON or an unknown type is dropped and logged', async () => {
    await kernel.send('execute_request', { code: 'globalThis.forged = 1' }, { key: 'another key' })
    await kernel.send('no_such_request', {})
    await kernel.sendSigned(['{"msg_type": "execute_request"', '{}', '{}', '{}'])
    await kernel.sendSigned(['{}', '{}', '{}', '"text"'])
    expect(resultText(await kernel.execute('(globalThis as any).forged'))).toBeUndefined()
    await kernel.until(() => kernel.log.includes('signature') && kernel.log.includes('no_such_request'))
    expect(kernel.log.match(/was dropped/g)).toHaveLength(4)
  })
})

describe('a cell', () => {
  it('with a syntax error or of the wrong type is an error, and the next one runs', async () => {
    expect(errorOf(await kernel.execute('let = = 3'))?.ename).toBe('TypeScriptError')
    expect(errorOf(await kernel.execute('const s: string = 1'))?.evalue).toContain('not assignable')
    expect(resultText(await kernel.execute('1'))).toBe('1')
  })
})

describe('too much memory', () => {
  it('in one piece is an error', async () => {
    expect(errorOf(await kernel.execute('new Uint8Array(1e15)'))?.ename).toBe('RangeError')
    expect(resultText(await kernel.execute('1'))).toBe('1')
  })

  it('in many pieces ends the process at once, so that Jupyter starts it anew', async () => {
    const small = await KernelClient.start({ heapMb: 300 })
    const ended = new Promise<unknown>((resolve) =>
      small.process.once('exit', (code, signal) => resolve(code ?? signal)),
    )
    await small.send('execute_request', {
      code: 'const all: string[][] = []; for (;;) all.push(Array(1e5).fill(String(all.length)))',
    })
    expect(await ended).not.toBe(0)
    expect(small.log).toContain('heap out of memory')
    small.stop()
  })
})

describe('shutdown_request', () => {
  it('is answered, and ends the process', async () => {
    const other = await KernelClient.start()
    await other.send('execute_request', { code: 'for (;;);' })
    const ended = new Promise((resolve) => other.process.once('exit', resolve))
    expect(await other.request('shutdown_request', { restart: false }, { channel: 'control' })).toMatchObject({
      status: 'ok',
      restart: false,
    })
    await ended
    other.stop()
  })
})
