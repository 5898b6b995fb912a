import { execFile, spawn } from 'node:child_process'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { open } from 'lmdb'
import { afterAll, afterEach, describe, expect, test, vi } from 'vitest'
import { cached } from '../../src/language-model/cached.js'
import type { CachedModel, CachedOptions } from '../../src/language-model/cached.js'
import type { CompletionOptions, LanguageModel } from '../../src/language-model/language-model.js'

const root = mkdtempSync(join(tmpdir(), 'cached-'))
const opened: CachedModel[] = []
afterEach(() => vi.restoreAllMocks())
afterAll(async () => {
  await Promise.all(opened.map((each) => each.close()))
  rmSync(root, { recursive: true })
})

let folders = 0
const newFolder = (): string => join(root, String(folders++))

interface Counting extends LanguageModel {
  asked: number
  aborted: number
  /** Lets those that wait answer. */
  release: () => void
}

/** Says how often it was asked; waits for `release` where `holds`. */
function counting(name = 'm', { holds = false, more = {} } = {}): Counting {
  let waiting: (() => void)[] = []
  const model: Counting = {
    name,
    asked: 0,
    aborted: 0,
    release: () => {
      for (const each of waiting) each()
      waiting = []
    },
    async complete(_, { signal, onText }: CompletionOptions = {}) {
      const text = `answer ${model.asked++}`
      signal?.addEventListener('abort', () => model.aborted++)
      onText?.(text.slice(0, 3))
      if (holds) {
        await new Promise<void>((resolve, reject) => {
          waiting.push(resolve)
          signal?.addEventListener('abort', () => reject(signal.reason as Error))
        })
      }
      onText?.(text.slice(3))
      return { text, finishReason: 'end', promptTokens: 5, completionTokens: 2, ...more }
    },
  }
  return model
}

function cache<Model extends LanguageModel>(model: Model, options: Partial<CachedOptions> = {}): CachedModel<Model> {
  const made = cached(model, { folder: newFolder(), ...options })
  opened.push(made)
  return made
}

describe('a text', () => {
  test('is asked for once, in this process and after it', async () => {
    const folder = newFolder()
    const first = cache(counting(), { folder })
    expect((await first.complete('x', { seed: 1 })).text).toBe('answer 0')
    expect((await first.complete('x', { seed: 1 })).text).toBe('answer 0')
    expect(first.cache).toEqual({ hits: 1, misses: 1, damaged: 0 })
    await first.close()
    const later = cache(counting(), { folder })
    expect(await later.complete('x', { seed: 1 })).toEqual({
      text: 'answer 0',
      finishReason: 'end',
      promptTokens: 5,
      completionTokens: 2,
    })
    expect(later.model.asked).toBe(0)
  })

  test('comes back with why it ended, and costs nothing then', async () => {
    const model = cache(counting('m', { more: { finishReason: 'stop', stopString: '</a>', cost: 3 } }))
    const asked = await model.complete('x')
    expect(asked.cost).toBe(3)
    const { cost: _, ...rest } = asked
    expect(await model.complete('x')).toEqual(rest)
  })

  test('is another one where anything that decides it is another', async () => {
    const folder = newFolder()
    const model = cache(counting(), { folder })
    const messages = [{ role: 'user', content: 'x' }] as const
    const requests: [string | typeof messages, CompletionOptions][] = [
      ['x', {}],
      ['y', {}],
      [messages, {}],
      ['x', { seed: 1 }],
      ['x', { maxTokens: 5 }],
      ['x', { temperature: 0.5 }],
      ['x', { topP: 0.5 }],
      ['x', { topK: 5 }],
      ['x', { stop: ['a'] }],
      ['x', { stop: ['a', 'b'] }],
    ]
    for (const [prompt, options] of requests) await model.complete(prompt, options)
    expect(model.model.asked).toBe(requests.length)
    for (const [prompt, options] of requests) await model.complete(prompt, options)
    expect(model.cache).toEqual({ hits: requests.length, misses: requests.length, damaged: 0 })
    const others = [
      cache(counting('other'), { folder }),
      cache(counting(), { folder, model: 'later weights' }),
      cache({ ...counting(), parameters: { min_p: 0.1 } }, { folder }),
    ]
    for (const other of others) {
      await other.complete('x')
      expect(other.cache.misses).toBe(1)
    }
  })

  test('that is greedy does not depend on what is drawn', async () => {
    const model = cache(counting())
    await model.complete('x', { temperature: 0, seed: 1 })
    await model.complete('x', { temperature: 0, seed: 2, topP: 0.5 })
    expect(model.cache).toMatchObject({ hits: 1, misses: 1 })
  })

  test('of a failure is not kept', async () => {
    let fails = true
    const model = cache({
      ...counting(),
      complete: () =>
        fails
          ? Promise.reject(new Error('HTTP 500'))
          : Promise.resolve({ text: 'a', finishReason: 'end', promptTokens: 1, completionTokens: 1 } as const),
    })
    await expect(model.complete('x')).rejects.toThrow('HTTP 500')
    fails = false
    expect((await model.complete('x')).text).toBe('a')
  })

  test('is handed on in one piece where it was there', async () => {
    const model = cache(counting())
    const pieces: string[] = []
    const onText = (piece: string): void => void pieces.push(piece)
    await model.complete('x', { onText })
    await model.complete('x', { onText })
    expect(pieces).toEqual(['answer 0', 'answer 0'])
  })
})

describe('requests under way together', () => {
  test('are one where they are the same', async () => {
    const model = cache(counting('m', { holds: true }))
    const pieces: string[] = []
    const all = [
      ...Array.from({ length: 20 }, () => model.complete('x')),
      model.complete('y'),
      model.complete('x', { onText: (piece) => pieces.push(piece) }),
    ]
    await vi.waitFor(() => expect(model.model.asked).toBe(2))
    model.model.release()
    const texts = (await Promise.all(all)).map(({ text }) => text)
    expect(texts).toEqual([...Array<string>(20).fill('answer 0'), 'answer 1', 'answer 0'])
    expect(pieces).toEqual(['answer 0'])
    expect(model.cache).toEqual({ hits: 20, misses: 2, damaged: 0 })
  })

  test('all hear the pieces, from the first one on', async () => {
    const model = cache(counting('m', { holds: true }))
    const heard = [[], []] as string[][]
    const asked = heard.map((pieces) => model.complete('x', { onText: (piece) => pieces.push(piece) }))
    await vi.waitFor(() => expect(heard).toEqual([['ans'], ['ans']]))
    model.model.release()
    await Promise.all(asked)
    expect(heard).toEqual([
      ['ans', 'wer 0'],
      ['ans', 'wer 0'],
    ])
  })

  test('go on where one of them is stopped, or its callback throws, and end where nobody waits', async () => {
    const model = cache(counting('m', { holds: true }))
    const controller = new AbortController()
    const { signal } = controller
    const [stopped, going] = [model.complete('x', { signal }), model.complete('x')]
    const throwing = model.complete('x', {
      onText: () => {
        throw new Error('my mistake')
      },
    })
    controller.abort(new Error('stopped by hand'))
    await expect(stopped).rejects.toThrow('stopped by hand')
    model.model.release()
    expect((await going).text).toBe('answer 0')
    await expect(throwing).rejects.toThrow('my mistake')
    expect(model.model.aborted).toBeLessThanOrEqual(1)

    const second = new AbortController()
    const alone = model.complete('y', { signal: second.signal })
    await vi.waitFor(() => expect(model.model.asked).toBe(2))
    const before = model.model.aborted
    second.abort(new Error('stopped by hand'))
    await expect(alone).rejects.toThrow('stopped by hand')
    expect(model.model.aborted).toBe(before + 1)
    const next = model.complete('y')
    await vi.waitFor(() => expect(model.model.asked).toBe(3))
    model.model.release()
    expect((await next).text).toBe('answer 2')
  })
})

test('offline, what is not there is refused with all that it was looked up by', async () => {
  const folder = newFolder()
  await cache(counting(), { folder }).complete('x')
  const model = cache(counting(), { folder, offline: true })
  expect((await model.complete('x')).text).toBe('answer 0')
  await expect(model.complete('y'.repeat(500), { seed: 3, temperature: 0.8, stop: ['</a>'] })).rejects.toThrow(
    `cached: there is no text in ${folder} for {"model":"m","maxTokens":512,"temperature":0.8,"topP":1,"topK":0,"seed":3,` +
      `"stop":["</a>"]} and the prompt "${'y'.repeat(199)}…; it is offline: run it without`,
  )
  expect(model.model.asked).toBe(0)
})

describe('a damaged cache', () => {
  test('has entries that count as absent, are told, and mended', async () => {
    const warn = vi.spyOn(console, 'warn').mockReturnValue()
    const folder = newFolder()
    const first = cache(counting(), { folder })
    for (const prompt of ['a', 'b', 'c', 'd']) await first.complete(prompt)
    await first.close()
    const store = open<string, string>({ path: join(folder, 'texts.lmdb'), encoding: 'string' })
    const entries = [...store.getRange()].map(({ key, value }) => ({ key, value }))
    expect(entries).toHaveLength(4)
    // One letter changed, cut off, empty, another request's.
    await store.put(entries[0]!.key, entries[0]!.value.replace('answer', 'anwser'))
    await store.put(entries[1]!.key, entries[1]!.value.slice(0, 100))
    await store.put(entries[2]!.key, '')
    await store.put(entries[3]!.key, entries[0]!.value)
    await store.close()

    const model = cache(counting(), { folder })
    for (const prompt of ['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']) await model.complete(prompt)
    expect(model.cache).toEqual({ hits: 4, misses: 4, damaged: 4 })
    expect(warn.mock.calls).toEqual([[`cached: an entry in ${folder} is damaged; it counts as absent`]])
  })

  test('that is no cache at all is refused', () => {
    const folder = newFolder()
    cache(counting(), { folder: join(folder, 'x') })
    writeFileSync(join(folder, 'texts.lmdb'), 'x'.repeat(100_000))
    expect(() => cached(counting(), { folder })).toThrow(
      /cannot open the store .*texts\.lmdb: .*; delete it, or choose another/,
    )
    writeFileSync(join(folder, 'file'), '')
    expect(() => cached(counting(), { folder: join(folder, 'file', 'x') })).toThrow('choose another folder')
  })
})

describe('several processes', () => {
  const tsx = join(import.meta.dirname, '../../node_modules/.bin/tsx')
  const script = join(import.meta.dirname, 'ask-cached.ts')

  test('use one cache at once, and all have the same texts', async () => {
    const folder = newFolder()
    const run = async (who: string): Promise<string[]> => {
      const { stdout } = await promisify(execFile)(tsx, [script, folder, who, '200'])
      return JSON.parse(stdout) as string[]
    }
    const [first, ...others] = await Promise.all(['a', 'b', 'c'].map(run))
    expect(first).toHaveLength(200)
    for (const other of others) expect(other).toEqual(first)
  }, 60_000)

  test('that are killed leave it whole', async () => {
    const folder = newFolder()
    for (let round = 0; round < 3; round++) {
      const child = spawn(tsx, [script, folder, `round ${round}`, '1000000'], { detached: true })
      const gone = new Promise((resolve) => child.once('exit', resolve))
      const model = cache(counting(), { folder, offline: true })
      await vi.waitFor(() => model.complete(`prompt ${100 * (round + 1)}`), 20_000)
      process.kill(-child.pid!, 'SIGKILL')
      await gone
      expect((await model.complete('prompt 5')).text).toBe('round 0: prompt 5')
      expect(model.cache.damaged).toBe(0)
    }
  }, 60_000)
})

test('neither prompts nor names are in its files', async () => {
  const folder = newFolder()
  const model = cache({ ...counting('sk-planted'), parameters: { key: 'sk-planted' } }, { folder })
  await model.complete('sk-planted')
  const files = readdirSync(folder).map((name) => readFileSync(join(folder, name), 'latin1'))
  expect(files.join('')).toContain('answer 0')
  expect(files.join('')).not.toContain('planted')
})

test('it is a language model as the one behind it', async () => {
  const truncate = (text: string, maxTokens: number): string => text.slice(0, maxTokens)
  const model = cache({ ...counting(), contextLength: 99, specialTokens: ['<s>'], truncate })
  expect(model).toMatchObject({ name: 'm', contextLength: 99, specialTokens: ['<s>'] })
  expect(model.truncate!('abc', 2)).toBe('ab')
  await expect(model.complete('x', { maxTokens: 0 })).rejects.toThrow('complete: maxTokens must be a positive integer')
  expect(() => cached({} as LanguageModel, { folder: 'x' })).toThrow('cached: model must be a language model')
  expect(() => cached(counting(), {} as CachedOptions)).toThrow('cached: folder must be a text')
})
