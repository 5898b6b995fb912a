// What changes in place: progress bars and logs, in a notebook that notes what is shown.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { foldingLog } from '../../src/display/folding-log.js'
import { progressBar, track } from '../../src/display/progress.js'

interface Shown {
  html: string
  text: string
  id?: string
  update?: boolean
}
let shown: Shown[]
beforeEach(() => {
  shown = []
  vi.stubGlobal('Jupyter', {
    display: (bundle: Record<string, string>, options: Omit<Shown, 'html' | 'text'>) =>
      Promise.resolve(void shown.push({ html: bundle['text/html']!, text: bundle['text/plain']!, ...options })),
  })
})
afterEach(() => vi.unstubAllGlobals())
const wait = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds))

describe('a progress bar', () => {
  it('moves in one output, a few times a second, and ends in one tidy line', async () => {
    const bar = progressBar(2000, { label: 'evaluate <all>', unit: 'questions' })
    for (let i = 1; i <= 2000; i++) {
      bar.update(i)
      if (i % 500 === 0) await wait(110)
    }
    await bar.end()
    bar.update(3)
    await bar.end()
    expect(shown.length).toBeLessThan(7)
    expect(shown.map(({ id }) => id)).toEqual(shown.map(() => shown[0]!.id))
    expect(shown.map(({ update }) => update)).toEqual(shown.map((_, i) => i > 0))
    expect(
      shown.some(({ text }) => /^evaluate <all>: [\d,]+\/2,000 questions, [\d.]+\/s, about [\d.]+ s left$/.test(text)),
    ).toBe(true)
    expect(shown.at(-1)!.text).toMatch(/^evaluate <all>: 2,000 questions in 0\.[4-9] s \([\d.]+\/s\)$/)
    expect(shown.at(-1)!.html).toMatch(/^<div>evaluate &lt;all&gt;: [^<]*<\/div>$/)
  })

  it('follows items, and says where it stopped', async () => {
    const seen: number[] = []
    const run = async (): Promise<void> => {
      for await (const item of track([1, 2, 3], { label: 'read', unit: 'files' })) {
        if (item === 3) throw new Error('no')
        seen.push(item)
      }
    }
    await expect(run()).rejects.toThrow('no')
    expect(seen).toEqual([1, 2])
    expect(shown.at(-1)!.text).toMatch(/^read: stopped at 2 of 3 files after 0\.\d s$/)
    const endless = (function* (): Generator<number> {
      yield 1
    })()
    await expect(track(endless).next()).rejects.toThrow('track: these items have no length; give `total`')
    for (const total of [NaN, -1, Infinity, '5' as unknown as number]) {
      expect(() => progressBar(total)).toThrow(`progressBar: total must be a number from 0 on, got ${total}`)
    }
  })

  it('prints its last line alone where there is no notebook', async () => {
    vi.unstubAllGlobals()
    const log = vi.spyOn(console, 'log').mockImplementation(() => undefined)
    for await (const _ of track(new Set(['a', 'b']))) continue
    expect(log.mock.calls.flat()).toEqual([expect.stringMatching(/^progress: 2 items in 0\.0 s/)])
    log.mockRestore()
  })
})

describe('a folding log', () => {
  it('shows title, number of lines and the last one; keeps both ends, as text', async () => {
    const log = foldingLog('rollouts </summary>')
    for (let i = 0; i < 1500; i++) log.write(`line ${i} <script>`)
    await log.flush()
    const { html, update } = shown.at(-1)!
    expect(update).toBe(true)
    expect(html).toMatch(
      /^<details><summary><b>rollouts &lt;\/summary&gt;<\/b>, 1,500 lines: line 1499 &lt;script&gt;<\/summary><pre>line 0 /,
    )
    expect(html).toContain('line 199 &lt;script&gt;\n… 500 lines left out …\nline 700 ')
    expect(html).not.toContain('<script>')
  })
})
