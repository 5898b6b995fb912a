// Long work tells how far it is; display shows it in the cell, or on a terminal, and ends in one line.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { showProgress } from '../../src/display/task-progress.js'
import { onProgress, withProgress } from '../../src/host/progress.js'
import type { Report } from '../../src/host/progress.js'

interface Shown {
  html: string
  text: string
  id: string
}
let shown: Shown[]
let stop: () => void
beforeEach(() => {
  shown = []
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] })
  vi.stubGlobal('Jupyter', {
    display: (bundle: Record<string, string>, { id }: { id: string }) =>
      Promise.resolve(void shown.push({ html: bundle['text/html']!, text: bundle['text/plain']!, id })),
  })
  stop = showProgress()
})
afterEach(() => {
  stop()
  vi.useRealTimers()
  vi.unstubAllGlobals()
})
const wait = (seconds: number): Promise<unknown> => vi.advanceTimersByTimeAsync(1000 * seconds)

/** Work that the test moves on. */
function start(options: Parameters<typeof withProgress>[0], then?: (report: Report) => Promise<void>) {
  let report: Report = () => undefined
  let end = (_?: Error): void => undefined
  const ended = new Promise<void>((resolve, reject) => (end = (error) => (error ? reject(error) : resolve())))
  const running = withProgress(options, async (given) => {
    report = given
    await then?.(given)
    await ended
  })
  return { running, end, report: (...told: Parameters<Report>) => report(...told) }
}

describe('work that takes long', () => {
  it('shows a bar with the time left after a second, in one output, a few times a second, and ends in one line', async () => {
    const { running, end, report } = start({ title: 'evaluate <all>', unit: 'questions', total: 400 })
    await wait(0.9)
    report(90, { note: 'direct' })
    expect(shown).toEqual([])
    await wait(0.2)
    expect(shown.at(-1)!.text).toMatch(/^evaluate <all>: 90\/400 questions, [\d.]+\/s, about 3\.\d s left · direct$/)
    expect(shown.at(-1)!.html).toContain('evaluate &lt;all&gt;')
    const before = shown.length
    for (let i = 0; i < 100; i++) {
      await wait(0.01)
      report(100 + i)
    }
    expect(shown.length - before).toBeLessThanOrEqual(7)
    report(400)
    end()
    await running
    expect(shown.at(-1)!.text).toMatch(/^evaluate <all>: 400 questions in 2\.1 s \([\d.]+\/s\)$/)
    expect(shown.at(-1)!.html).toMatch(/^<div>[^<]*<\/div>$/)
    expect(new Set(shown.map(({ id }) => id)).size).toBe(1)
    const last = shown.length
    report(401)
    await wait(5)
    expect(shown).toHaveLength(last)
  })

  it('shows that it goes on where nothing is told', async () => {
    const { running, end } = start({ title: 'compile' })
    await wait(4.5)
    expect(shown.length).toBeGreaterThanOrEqual(3)
    expect(shown.at(-1)!.text).toMatch(/^compile: [34]\.\d s so far$/)
    end()
    await running
  })

  it('that counts nothing shows after two seconds, also as a part', async () => {
    const alone = start({ title: 'compiling loss' })
    await wait(1.9)
    expect(shown).toEqual([])
    await wait(0.2)
    expect(shown.at(-1)!.text).toBe('compiling loss: 2.0 s so far')
    alone.end()
    await alone.running
    expect(shown.at(-1)!.text).toBe('compiling loss: 2.1 s')
    let part: ReturnType<typeof start> | undefined
    const outer = start({ title: 'train', unit: 'updates', total: 2 }, async () => {
      part = start({ title: 'compiling loss' })
      await Promise.resolve()
    })
    await wait(1.5)
    expect(shown.at(-1)!.text).toBe('train: 0/2 updates, 1.0 s so far')
    await wait(2)
    expect(shown.at(-1)!.text).toBe('train: 0/2 updates, 3.0 s so far · compiling loss: 3.0 s so far')
    part!.end()
    outer.end()
    await Promise.all([part!.running, outer.running])
  })

  it('counts bytes in their unit, and takes the rate from what was done since it started', async () => {
    const { running, end, report } = start({ title: 'downloading a/b', unit: 'bytes', total: 4e9 })
    report(3e9, { doneBefore: 3e9 })
    await wait(2)
    expect(shown.at(-1)!.text).toMatch(/^downloading a\/b: 3\.00 GB\/4\.00 GB, [12]\.\d s so far$/)
    report(3.2e9)
    await wait(0.2)
    expect(shown.at(-1)!.text).toBe('downloading a/b: 3.20 GB/4.00 GB, 90.9 MB/s, about 8.8 s left')
    report(4e9)
    end()
    await running
    expect(shown.at(-1)!.text).toMatch(/^downloading a\/b: 1\.00 GB in 2\.2 s \(45\d MB\/s\)$/)
  })

  it('of which another counts the parts is not named there, and shows alone', async () => {
    const rollOut = (): ReturnType<typeof start> => start({ title: 'rollOut', unit: 'turns', asPart: false })
    let part: ReturnType<typeof start> | undefined
    const outer = start({ title: 'evaluate', unit: 'questions', total: 2 }, async () => {
      part = rollOut()
      await Promise.resolve()
    })
    await wait(1.5)
    expect(shown.at(-1)!.text).toBe('evaluate: 0/2 questions, 1.0 s so far')
    part!.end()
    outer.end()
    await Promise.all([part!.running, outer.running])
    const alone = rollOut()
    await wait(1.5)
    expect(shown.at(-1)!.text).toMatch(/^rollOut: 0 turns, 1\.\d s so far$/)
    alone.end()
    await alone.running
  })

  it('that ends within a second shows nothing', async () => {
    const { running, end } = start({ title: 'short', total: 1 })
    await wait(0.5)
    end()
    await running
    await wait(5)
    expect(shown).toEqual([])
  })

  it('that fails says where it stopped, and fails as it did', async () => {
    const { running, end, report } = start({ title: 'read', unit: 'files', total: 10 })
    const failed = expect(running).rejects.toThrow('disk')
    report(3)
    await wait(2)
    end(new Error('disk'))
    await failed
    expect(shown.at(-1)!.text).toBe('read: stopped at 3 of 10 files after 2.0 s')
  })
})

describe('work inside of work', () => {
  it('shows as a part of it, in its line', async () => {
    const inner = [0, 1, 2].map(() => ({ end: (): void => undefined, running: Promise.resolve() }))
    const { running, end } = start({ title: 'train', unit: 'updates', total: 2 }, async () => {
      for (const part of inner) Object.assign(part, start({ title: 'roll out', unit: 'questions', total: 80 }))
      await Promise.resolve()
    })
    await wait(1.5)
    const line = 'roll out: 0/80 questions, 1.0 s so far'
    expect(shown.at(-1)!.text).toBe(`train: 0/2 updates, 1.0 s so far · ${line} · ${line} · 1 more`)
    for (const part of inner) part.end()
    await Promise.all(inner.map((part) => part.running))
    await wait(1)
    expect(shown.at(-1)!.text).toBe('train: 0/2 updates, 2.0 s so far')
    end()
    await running
    expect(new Set(shown.map(({ id }) => id)).size).toBe(1)
  })

  it('is silent where the outer work is, and side by side each has its output', async () => {
    const silent = start({ title: 'outer', progress: false }, () =>
      withProgress({ title: 'inner' }, () => wait(3) as Promise<void>),
    )
    silent.end()
    await silent.running
    expect(shown).toEqual([])
    const both = [start({ title: 'a' }), start({ title: 'b' })]
    await wait(2)
    for (const { end } of both) end()
    await Promise.all(both.map(({ running }) => running))
    expect(new Set(shown.map(({ id }) => id)).size).toBe(2)
  })

  it('that outlives it is work of its own', async () => {
    let late: ReturnType<typeof start> | undefined
    let resume = (): void => undefined
    const outer = start({ title: 'outer' }, async () => {
      void new Promise<void>((resolve) => (resume = resolve)).then(() => (late = start({ title: 'late' })))
      await Promise.resolve()
    })
    outer.end()
    await outer.running
    resume()
    await wait(2)
    expect(shown.at(-1)!.text).toMatch(/^late: 2\.0 s/)
    late!.end()
    await late!.running
  })
})

describe('whoever listens', () => {
  it('cannot break the work, and is no longer told after its end', async () => {
    const told: string[] = []
    const ends = [
      onProgress(() => {
        throw new Error('listener')
      }),
      onProgress(() => Promise.reject(new Error('listener'))),
      onProgress(({ state }) => void told.push(state)),
    ]
    expect(await withProgress({ title: 'w', total: 1 }, async (report) => (report(1), await Promise.resolve(5)))).toBe(
      5,
    )
    expect(told).toEqual(['running', 'running', 'done'])
    for (const end of ends) end()
    await withProgress({ title: 'w' }, () => Promise.resolve())
    expect(told).toHaveLength(3)
  })
})

describe('on a terminal', () => {
  it('it is one line of the standard error that moves no cursor but its own, and nothing elsewhere', async () => {
    vi.unstubAllGlobals()
    const written: string[] = []
    const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => Boolean(written.push(String(text))))
    const tty = process.stderr.isTTY
    for (const isTTY of [false, true]) {
      Object.assign(process.stderr, { isTTY, columns: 60 })
      const { running, end, report } = start({ title: 'evaluate', total: 4 })
      report(2, { note: 'a\u001b[2Jb\nc\u0007' })
      await wait(2)
      end()
      await running
      expect(written.length > 0).toBe(isTTY)
    }
    Object.assign(process.stderr, { isTTY: tty })
    write.mockRestore()
    const clear = '\r\u001b[2K'
    for (const line of written) {
      expect(line.startsWith(clear)).toBe(true)
      expect(line.slice(clear.length)).toMatch(/^\P{Cc}{1,60}\n?$/u)
    }
    expect(written[0]).toContain('ab c')
    expect(written.filter((line) => line.endsWith('\n'))).toHaveLength(1)
  })
})
