import { spawn } from 'node:child_process'
import type { ChildProcess } from 'node:child_process'
import { createHmac, randomUUID } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { Dealer, Subscriber } from 'zeromq'
import { decodeMessage, encodeMessage, makeHeader } from '../../kernel/server/message.js'
import type { Message } from '../../kernel/server/message.js'

type Content = Record<string, unknown>

/** What a request led to: its reply, and what was published for it until the kernel was idle. */
export interface Answer {
  reply: Content
  outputs: { type: string; content: Content; buffers: Uint8Array[]; metadata: Content }[]
}

/** A front end for tests: starts the compiled kernel and speaks the protocol with it. */
export class KernelClient {
  readonly process: ChildProcess
  readonly key = randomUUID()
  /** Everything on IOPub, as it came. */
  readonly published: Message[] = []
  /** The kernel's own log. */
  log = ''
  readonly #folder: string
  readonly #session = randomUUID()
  readonly #shell = new Dealer({ linger: 0 })
  readonly #control = new Dealer({ linger: 0 })
  readonly #stdin = new Dealer({ linger: 0 })
  readonly #iopub = new Subscriber({ linger: 0, receiveHighWaterMark: 0 })
  readonly #replies: Message[] = []
  #wake = (): void => undefined
  /** Answers the kernel's questions for a line; undefined leaves one open. */
  onInput: (prompt: string, password: boolean) => string | undefined = () => ''

  static async start(options: { data?: string; cwd?: string; heapMb?: number } = {}): Promise<KernelClient> {
    const client = new KernelClient(options)
    await client.request('kernel_info_request', {})
    // Nothing of what is published is missed from here on.
    await client.until(() => client.published.some(({ header }) => header.msg_type === 'iopub_welcome'))
    return client
  }

  private constructor({ data, cwd, heapMb }: { data?: string; cwd?: string; heapMb?: number }) {
    this.#folder = mkdtempSync(join(tmpdir(), 'kernel-'))
    const name = (channel: string): number => ['shell', 'control', 'iopub', 'stdin', 'hb'].indexOf(channel) + 1
    const ip = join(this.#folder, 'k')
    const ports = { shell_port: 1, control_port: 2, iopub_port: 3, stdin_port: 4, hb_port: 5 }
    const file = join(this.#folder, 'connection.json')
    writeFileSync(
      file,
      JSON.stringify({ transport: 'ipc', ip, key: this.key, signature_scheme: 'hmac-sha256', ...ports }),
    )
    const files = [resolve('kernel/launch.sh'), process.execPath, resolve('dist/kernel/main.js'), file]
    this.process = spawn('/bin/sh', files, {
      ...(cwd && { cwd }),
      env: {
        ...process.env,
        ...(heapMb && { NODE_OPTIONS: `--max-old-space-size=${heapMb}` }),
        JUPYTER_DATA_DIR: data ?? join(this.#folder, 'data'),
      },
      stdio: ['ignore', 'ignore', 'pipe'],
    })
    this.process.stderr!.on('data', (chunk) => (this.log += String(chunk)))
    const identity = this.#session
    for (const [channel, socket] of Object.entries({
      shell: this.#shell,
      control: this.#control,
      stdin: this.#stdin,
    })) {
      socket.routingId = identity
      socket.connect(`ipc://${ip}-${name(channel)}`)
    }
    this.#iopub.connect(`ipc://${ip}-${name('iopub')}`)
    this.#iopub.subscribe()
    void this.#listen(this.#shell, (message) => this.#replies.push(message))
    void this.#listen(this.#control, (message) => this.#replies.push(message))
    void this.#listen(this.#iopub, (message) => this.published.push(message))
    void this.#listen(this.#stdin, ({ content, header }) => {
      const value = this.onInput(String(content['prompt']), content['password'] === true)
      if (value !== undefined) void this.#stdin.send(this.#encode('input_reply', { value }, header).frames)
    })
  }

  /** Sends a request without waiting; its id. */
  async send(
    type: string,
    content: Content,
    options: { channel?: 'shell' | 'control'; buffers?: Uint8Array[]; key?: string } = {},
  ): Promise<string> {
    const { id, frames } = this.#encode(type, content, undefined, options)
    await (options.channel === 'control' ? this.#control : this.#shell).send(frames)
    return id
  }

  /** Frames as they are: not even signed. */
  async sendRaw(
    frames: readonly (string | Uint8Array)[],
    channel: 'shell' | 'control' | 'stdin' = 'shell',
  ): Promise<void> {
    await { shell: this.#shell, control: this.#control, stdin: this.#stdin }[channel].send([...frames])
  }

  /** Frames as they are, signed. */
  async sendSigned(parts: readonly string[]): Promise<void> {
    const hmac = createHmac('sha256', this.key)
    for (const part of parts) hmac.update(part)
    await this.#shell.send(['<IDS|MSG>', hmac.digest('hex'), ...parts])
  }

  async request(type: string, content: Content, options: Parameters<KernelClient['send']>[2] = {}): Promise<Content> {
    return this.reply(await this.send(type, content, options))
  }

  async execute(code: string, more: Content = {}): Promise<Answer> {
    return this.answer(
      await this.send('execute_request', {
        code,
        silent: false,
        store_history: true,
        allow_stdin: true,
        stop_on_error: true,
        ...more,
      }),
    )
  }

  async reply(id: string): Promise<Content> {
    await this.until(() => this.#replies.some(({ parent }) => parent.msg_id === id))
    return this.#replies.find(({ parent }) => parent.msg_id === id)!.content
  }

  async answer(id: string): Promise<Answer> {
    const reply = await this.reply(id)
    const idle = ({ header, parent, content }: Message): boolean =>
      header.msg_type === 'status' && parent.msg_id === id && content['execution_state'] === 'idle'
    await this.until(() => this.published.some(idle))
    const outputs = this.published.filter(({ parent, header }) => parent.msg_id === id && header.msg_type !== 'status')
    return {
      reply,
      outputs: outputs.map(({ header, content, buffers, metadata }) => ({
        type: header.msg_type,
        content,
        buffers,
        metadata,
      })),
    }
  }

  /** A second front end, which reads nothing of what is published. */
  async subscribe(): Promise<Subscriber> {
    const socket = new Subscriber({ linger: 0, receiveHighWaterMark: 1 })
    socket.connect(`ipc://${join(this.#folder, 'k')}-3`)
    socket.subscribe()
    const welcomes = (): number => this.published.filter(({ header }) => header.msg_type === 'iopub_welcome').length
    const before = welcomes()
    await this.until(() => welcomes() > before)
    return socket
  }

  interrupt(): Promise<Content> {
    return this.request('interrupt_request', {}, { channel: 'control' })
  }

  /** @throws {Error} where it does not come true in time, with what the kernel logged */
  async until(condition: () => boolean, seconds = 30): Promise<void> {
    const end = Date.now() + seconds * 1000
    while (!condition()) {
      if (Date.now() > end) throw new Error(`the kernel did not answer within ${seconds} s\n${this.log}`)
      await new Promise<void>((resolve) => {
        this.#wake = resolve
        setTimeout(resolve, 20)
      })
    }
  }

  stop(): void {
    this.process.kill('SIGKILL')
    for (const socket of [this.#shell, this.#control, this.#stdin, this.#iopub]) socket.close()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  #encode(
    type: string,
    content: Content,
    parent?: Message['header'] | Message['parent'],
    { buffers = [], key = this.key }: { buffers?: Uint8Array[]; key?: string } = {},
  ): { id: string; frames: Uint8Array[] } {
    const header = makeHeader(type, this.#session)
    const [headerText, parentText, contentText] = [header, parent ?? {}, content].map((part) => JSON.stringify(part))
    const parts = { header: headerText!, parent: parentText!, metadata: '{}', content: contentText! }
    return { id: header.msg_id, frames: encodeMessage({ identities: [], ...parts, buffers }, key) }
  }

  async #listen(socket: AsyncIterable<Buffer[]>, take: (message: Message) => void): Promise<void> {
    for await (const frames of socket) {
      take(decodeMessage(frames, this.key))
      this.#wake()
    }
  }
}

export const streamText = ({ outputs }: Answer, name = 'stdout'): string =>
  outputs
    .filter(({ type, content }) => type === 'stream' && content['name'] === name)
    .map(({ content }) => content['text'])
    .join('')

export const resultText = ({ outputs }: Answer): unknown => {
  const result = outputs.find(({ type }) => type === 'execute_result')
  return (result?.content['data'] as Content | undefined)?.['text/plain']
}

export const errorOf = ({ outputs }: Answer): { ename: string; evalue: string; traceback: string[] } | undefined =>
  outputs.find(({ type }) => type === 'error')?.content as ReturnType<typeof errorOf>
