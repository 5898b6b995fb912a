// What a cell or a front end may do wrong: the kernel answers with an error and goes on.
import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { KernelClient, errorOf, resultText, streamText } from './client.js'

let kernel: KernelClient
beforeAll(async () => void (kernel = await KernelClient.start()))
afterAll(() => kernel.stop())

async function expectAlive(): Promise<void> {
  expect(resultText(await kernel.execute('1 + 1'))).toBe('2')
  expect(kernel.process.exitCode ?? kernel.process.signalCode).toBeNull()
}

describe('what can’t be sent', () => {
  const deep = 'let d: any = []; for (let i = 0; i < 1e5; i++) d = [d];'
  const circle = 'const circle: any = {}; circle.self = circle;'
  const detached = 'const b = new Uint8Array(8); structuredClone(b.buffer, { transfer: [b.buffer] });'
  it.each([
    [
      'a BigInt',
      'Jupyter.display({ "application/json": 5n }, { raw: true })',
      /data\["application\/json"\] is a BigInt.*Number\(/,
    ],
    [
      'a BigInt deep inside',
      'Jupyter.display({ "application/json": { a: [{ b: 5n }] } }, { raw: true })',
      /\.a\[0\]\.b is a BigInt/,
    ],
    ['a BigInt in metadata', 'Jupyter.display(1, { metadata: { a: 5n } })', /metadata\.a is a BigInt/],
    ['a BigInt as an id', 'Jupyter.display(1, { id: 5n as any })', /id must be a string, got bigint/],
    ['a BigInt for the pager', 'Jupyter.page(5n as any)', /text must be a string, got bigint/],
    ['a BigInt as a prompt', 'await Jupyter.input(5n as any)', /prompt must be a string, got bigint/],
    ['a BigInt in a comm', 'Jupyter.comms.open("t", { a: 5n })', /^comm\.open: data\.a is a BigInt/],
    [
      'a BigInt in a result',
      '({ [Symbol.for("Jupyter.display")]: () => ({ "application/json": 5n }) })',
      /is a BigInt/,
    ],
    [
      'a BigInt in a widget',
      'import * as zs from "zerosearch"; const w = zs.slider({ min: 0, max: 1 }); w.set("value", 5n as any)',
      /is a BigInt/,
    ],
    ['a circle', `${circle} Jupyter.comms.open("t").send(circle)`, /^comm\.send: .* refers to itself/],
    [
      'a circle in a display',
      `${circle} Jupyter.display({ "application/json": circle }, { raw: true })`,
      /refers to itself/,
    ],
    ['what is nested deeply', `${deep} Jupyter.display({ "application/json": d }, { raw: true })`, /nested too deeply/],
    [
      'a getter that throws',
      'Jupyter.comms.open("t", { get a() { throw new Error("getter") } })',
      /can’t be written as JSON/,
    ],
    ['a toJSON that throws', 'Jupyter.comms.open("t", { toJSON() { throw 1 } })', /can’t be written as JSON/],
    [
      'a revoked proxy',
      'const r = Proxy.revocable({}, {}); r.revoke(); Jupyter.comms.open("t", r.proxy)',
      /can’t be written as JSON/,
    ],
    ['a revoked proxy as a result', 'r.proxy', /revoked/],
    [
      'a function',
      'Jupyter.display({ "text/html": () => 1 }, { raw: true })',
      /text\/html must be data, got a function/,
    ],
    ['a symbol', 'Jupyter.display({ "application/json": Symbol() }, { raw: true })', /must be data, got a symbol/],
    [
      'a number as HTML',
      'Jupyter.display({ "text/html": 5 }, { raw: true })',
      /text\/html must be a string, got number/,
    ],
    ['no bundle', 'Jupyter.display(null, { raw: true })', /must be an object of MIME types/],
    ['a detached buffer', `${detached} Jupyter.comms.open("t").send({}, { buffers: [b] })`, /buffers\[0\] is detached/],
    [
      'a buffer that is text',
      'Jupyter.comms.open("t").send({}, { buffers: ["text" as any] })',
      /buffers\[0\] must be a Uint8Array/,
    ],
    [
      'a value whose view throws',
      '({ [Symbol.for("nodejs.util.inspect.custom")]() { throw new Error("no view") } })',
      /no view/,
    ],
    [
      'more text than a string holds',
      'Jupyter.display({ "application/json": Array(4).fill("x".repeat(1.5e8)) }, { raw: true })',
      /longer as JSON than a string/,
    ],
  ])('%s is the cell’s error', { timeout: 60_000 }, async (_, code, message) => {
    expect(errorOf(await kernel.execute(code))?.evalue).toMatch(message)
    await expectAlive()
  })

  it.each([
    'throw Object.defineProperty(new Error("x"), "message", { get() { throw 1 } })',
    'throw Object.defineProperty(new Error("x"), "stack", { get() { throw 1 } })',
    'throw Object.assign(new Error("x"), { name: 5n })',
    'throw Object.assign(new Error(), { name: Symbol("s"), message: Symbol("m"), stack: {} })',
    'throw { get code() { throw 1 } }',
    'const gone = Proxy.revocable({}, {}); gone.revoke(); throw gone.proxy',
    'throw new Proxy(new Error("x"), { get() { throw 1 } })',
    'throw null',
    'throw undefined',
    'throw Symbol("thrown")',
    'throw () => 1',
    'const e = new Error("circle"); e.cause = e; throw e',
    'throw new AggregateError([new Error("one"), 2n])',
    'throw new Error("x".repeat(3e8))',
    'function down(): void { down() }; down()',
  ])('%s is an error of strings', { timeout: 60_000 }, async (code) => {
    const { ename, evalue, traceback } = errorOf(await kernel.execute(code))!
    for (const text of [ename, evalue, ...traceback]) expect(typeof text).toBe('string')
    expect(JSON.stringify(traceback).length).toBeLessThan(200_000)
    await expectAlive()
  })

  it('leaves what else can be read of an error', async () => {
    const broken = 'const x = new Error("x"); Object.defineProperty(x, "message", { get() { throw 1 } }); throw x'
    expect(errorOf(await kernel.execute(broken))).toMatchObject({
      ename: 'Error',
      evalue: '(its message throws when it is read)',
    })
  })

  it('is found in user expressions, and in timers', async () => {
    const show = '({ [Symbol.for("Jupyter.display")]: () => ({ "application/json": 5n }) })'
    const { reply } = await kernel.execute('1', { user_expressions: { bad: show } })
    expect(reply['user_expressions']).toMatchObject({ bad: { status: 'error' } })
    const timer = await kernel.execute(
      'setTimeout(() => Jupyter.comms.open("t", 5n), 5); await new Promise((r) => setTimeout(r, 100))',
    )
    expect(streamText(timer, 'stderr')).toContain('is a BigInt')
    await expectAlive()
  })
})

describe('half of a surrogate pair', () => {
  const half = '"Search results 🙂 today".slice(0, 16)'
  it('becomes U+FFFD wherever it stands', async () => {
    const id = await kernel.send('execute_request', {
      code: `console.log(${half}); const o = { [${half}]: [${half}, '\\\\ud83d'] }; await Jupyter.display({ 'application/json': o }, { raw: true, metadata: o, id: ${half} }); Jupyter.comms.open(${half}, o); throw new Error(${half}) // \ud83d`,
    })
    await kernel.answer(id)
    await kernel.request('complete_request', { code: '\ud83d', cursor_pos: 1 })
    const { history } = await kernel.request('history_request', { hist_access_type: 'tail', n: 1 })
    const all = kernel.published.filter(({ parent }) => parent.msg_id === id)
    expect(all.map(({ header }) => header.msg_type)).toEqual(
      expect.arrayContaining(['execute_input', 'stream', 'display_data', 'comm_open', 'error']),
    )
    const text = JSON.stringify([all.map(({ content, metadata }) => [content, metadata]), history])
    expect(text).toContain('Search results \ufffd')
    // A backslash before "ud83d" is no surrogate.
    expect(text).toContain('\\\\\\\\ud83d')
    expect(text).not.toMatch(/(?<!\\)\\ud[89a-f]/)
  })

  it('is joined with the other half, in one write or in two, soon or late', async () => {
    const answer = await kernel.execute(
      'process.stdout.write("\\ud83d"); process.stdout.write("\\ude42a\\ud83d"); await new Promise((r) => setTimeout(r, 150)); process.stdout.write("\\ude42b"); process.stdout.write("x".repeat(2 ** 20 - 1) + "🙂")',
    )
    expect(streamText(answer)).toBe(`🙂a🙂b${'x'.repeat(2 ** 20 - 1)}🙂`)
  })
})

describe('a cell that prints more than is read', () => {
  const rss = (): number =>
    Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${kernel.process.pid!}/status`, 'utf8'))![1]) / 1024

  it
    .runIf(process.platform === 'linux')
    .each([
      'while (true) console.log("x".repeat(1000))',
      'while (true) process.stdout.write("x")',
      'await null; while (true) console.log("x".repeat(1000))',
      'while (true) await Jupyter.display("x".repeat(9000))',
      'const c = Jupyter.comms.open("t"); while (true) c.send("x".repeat(9000))',
    ])('waits, in bounded memory, and stops: %s', { timeout: 60_000 }, async (code) => {
    const before = rss()
    const id = await kernel.send('execute_request', { code })
    await new Promise((resolve) => setTimeout(resolve, 3000))
    expect(rss() - before).toBeLessThan(500)
    await kernel.interrupt()
    expect((await kernel.answer(id)).reply).toMatchObject({ ename: 'Interrupted' })
    kernel.published.length = 0
  })

  it('and whose front end reads nothing for long stops, goes on without it, and reaches others', async () => {
    const stuck = await kernel.subscribe()
    const id = await kernel.send('execute_request', { code: 'while (true) console.log("x".repeat(1000))' })
    await new Promise((resolve) => setTimeout(resolve, 2000))
    await kernel.interrupt()
    expect((await kernel.reply(id))['ename']).toBe('Interrupted')
    const start = performance.now()
    const next = await kernel.execute('for (let i = 0; i < 300; i++) await Jupyter.display(i)')
    expect(performance.now() - start).toBeLessThan(40_000)
    expect(next.outputs.filter(({ type }) => type === 'display_data')).toHaveLength(300)
    expect(kernel.log).toContain('a front end does not read its output')
    stuck.close()
    await expectAlive()
  }, 90_000)
})

// A longer run: FUZZ_MESSAGES=100000 npx vitest run test/kernel/hostile.test.ts -t random
describe('random messages', () => {
  const count = Number(process.env['FUZZ_MESSAGES'] ?? 100)
  const types = [
    'execute',
    'complete',
    'inspect',
    'history',
    'is_complete',
    'comm_info',
    'kernel_info',
    'connect',
    '__proto__',
  ]
    .map((name) => `${name}_request`)
    .concat('comm_open', 'comm_msg', 'comm_close', 'input_reply', 'no_such_type', '')
  const value = fc.oneof(
    fc.json(),
    fc.constantFrom(
      'null',
      '1e308',
      '-1',
      '{}',
      '[]',
      '"\\ud83d"',
      '"\\u0000"',
      '"?*"',
      '9007199254740993',
      '"__proto__"',
    ),
    fc.constant(`${'['.repeat(20_000)}${']'.repeat(20_000)}`),
  )
  const names = [
    'code',
    'cursor_pos',
    'detail_level',
    'hist_access_type',
    'n',
    'start',
    'session',
    'pattern',
    'unique',
    'output',
    'target_name',
    'comm_id',
    'data',
    'user_expressions',
    'silent',
    'store_history',
    'value',
  ]
  const content = fc
    .array(fc.tuple(fc.constantFrom(...names), value), { maxLength: 6 })
    .map((pairs) => `{${pairs.map(([name, text]) => `${JSON.stringify(name)}:${text}`).join(',')}}`)
  const header = fc
    .tuple(
      fc.oneof(
        { weight: 9, arbitrary: fc.constantFrom(...types).map((type) => JSON.stringify(type)) },
        { weight: 1, arbitrary: value },
      ),
      value,
    )
    .map(([type, id]) => `{"msg_type":${type},"msg_id":${id},"session":"fuzz"}`)
  const part = fc.oneof(
    { weight: 4, arbitrary: fc.constant('{}') },
    { weight: 1, arbitrary: value },
    { weight: 1, arbitrary: fc.string() },
  )
  const signed = fc.tuple(
    fc.oneof({ weight: 9, arbitrary: header }, { weight: 1, arbitrary: part }),
    part,
    part,
    fc.oneof({ weight: 6, arbitrary: content }, { weight: 1, arbitrary: part }),
  )
  const raw = fc.array(
    fc.oneof(fc.uint8Array({ maxLength: 64 }), fc.constantFrom('<IDS|MSG>', '', '{}'), fc.string()),
    { minLength: 1, maxLength: 9 },
  )
  const seed = Number(process.env['FUZZ_SEED'] ?? 11)

  it(
    'of any form, signed or not, on any channel, never end the kernel',
    async () => {
      for (const [i, parts] of fc.sample(signed, { numRuns: count, seed }).entries()) {
        await kernel.sendSigned(parts)
        if (i % 20 === 0) await expectAlive()
      }
      for (const frames of fc.sample(raw, { numRuns: count, seed }))
        for (const channel of ['shell', 'control', 'stdin'] as const) await kernel.sendRaw(frames, channel)
      await kernel.sendRaw(Array.from({ length: 20_000 }, () => 'x'))
      await expectAlive()
      expect(kernel.log).not.toContain('in the wire thread')
    },
    Math.max(120_000, count * 20),
  )

  it('of a known type whose content is wrong are answered with an error', async () => {
    expect(await kernel.request('history_request', { hist_access_type: 'search', pattern: 5 })).toMatchObject({
      status: 'error',
      ename: 'TypeError',
    })
  })
})
