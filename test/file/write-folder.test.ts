import { spawnSync } from 'node:child_process'
import * as fs from 'node:fs'
import type * as FsPromises from 'node:fs/promises'
import { hostname } from 'node:os'
import { basename, join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { placesOf } from '../../src/file/folder-states.js'
import { openFolder, recoverFolder, writeFolder } from '../../src/file/write-folder.js'
import type { FolderKind } from '../../src/file/write-folder.js'
import { temporaryFolder } from '../model/fixtures.js'
import { killWriters, readNumber, startWriter } from './kill-writer.js'

/** Called before each rename of the code under test. */
let onRename: ((from: string, to: string) => void | Promise<void>) | undefined
vi.mock('node:fs/promises', async (original) => {
  const real = await original<typeof FsPromises>()
  const rename = async (from: string, to: string): Promise<void> => {
    await onRename?.(from, to)
    return real.rename(from, to)
  }
  return { ...real, rename, default: { ...real, rename } }
})
afterEach(() => (onRename = undefined))

const parent = temporaryFolder()
let count = 0
/** A folder in an empty one. */
function newTarget(): string {
  const folder = join(parent, String(count++))
  fs.mkdirSync(folder)
  return join(folder, 'run')
}

const KIND: FolderKind = { operation: 'save', what: 'run', marker: 'run.txt', owns: (name) => name.endsWith('.txt') }

const put = (folder: string, text: string, name = 'run.txt'): void => {
  fs.mkdirSync(folder, { recursive: true })
  fs.writeFileSync(join(folder, name), text)
}
const text = (folder: string, name = 'run.txt'): string => fs.readFileSync(join(folder, name), 'utf8')
const beside = (target: string): string[] =>
  fs.readdirSync(join(target, '..')).filter((name) => name !== basename(target))
const save = (target: string, content: string, overwrite = false): Promise<void> =>
  writeFolder(target, KIND, { overwrite }, (aside) => Promise.resolve(put(aside, content)))
const fault = (code: string): Error => Object.assign(new Error(`${code}: by the test`), { code })
const asRoot = process.getuid?.() === 0

describe('writeFolder', () => {
  it('makes the folder and those above it, and leaves nothing beside it', async () => {
    const target = join(newTarget(), 'above', 'run')
    await save(target, 'one')
    expect(text(target)).toBe('one')
    expect(beside(target)).toEqual([])
  })

  it('replaces a run only where that is said, and never other things', async () => {
    const target = newTarget()
    await save(target, 'one')
    await expect(save(target, 'two')).rejects.toThrow(
      `save: ${target} holds a run already; \`overwrite: true\` replaces it, or choose another folder`,
    )
    expect(text(target)).toBe('one')
    await save(target, 'two', true)
    expect(text(target)).toBe('two')
    const other = newTarget()
    put(other, 'mine', 'thesis.md')
    await expect(save(other, 'one', true)).rejects.toThrow('holds files but no run (run.txt)')
    const file = join(parent, 'file')
    fs.writeFileSync(file, '')
    await expect(save(file, 'one', true)).rejects.toThrow('is no folder')
    await expect(save(join(file, 'run'), 'one')).rejects.toThrow('is in a file')
    await expect(save(process.cwd(), 'one', true)).rejects.toThrow('is the working folder')
    await expect(save('/', 'one', true)).rejects.toThrow(/save: \/ is/)
    expect([...beside(target), ...beside(other)]).toEqual([])
  })

  it('carries over what is not of its kind', async () => {
    const target = newTarget()
    await save(target, 'one')
    put(target, 'stale', 'stale.txt')
    put(join(target, '.git'), 'mine', 'HEAD')
    await save(target, 'two', true)
    expect(fs.readdirSync(target).sort()).toEqual(['.git', 'run.txt'])
    expect(text(join(target, '.git'), 'HEAD')).toBe('mine')
  })

  it('keeps the one before, and no more, where that is said', async () => {
    const target = newTarget()
    const writer = await openFolder(target, KIND, { keepPreviousAs: 'previous' })
    for (const content of ['one', 'two', 'three']) {
      await writer.write((aside) => Promise.resolve(put(aside, content)))
      put(target, content, 'notes.md')
    }
    await writer.close()
    expect(text(target)).toBe('three')
    expect(text(join(target, 'previous'))).toBe('two')
    expect(fs.readdirSync(join(target, 'previous'))).toEqual(['run.txt'])
    expect(fs.readdirSync(target).sort()).toEqual(['notes.md', 'previous', 'run.txt'])
    expect(beside(target)).toEqual([])
  })

  it('keeps a link, and replaces what it leads to; one that leads nowhere is followed, too', async () => {
    const target = newTarget()
    const real = join(newTarget(), 'real')
    fs.symlinkSync(real, target)
    await save(target, 'one')
    await save(target, 'two', true)
    expect(fs.readlinkSync(target)).toBe(real)
    expect(text(real)).toBe('two')
    expect([...beside(target), ...beside(real)]).toEqual([])
    const loop = newTarget()
    fs.symlinkSync(loop, loop)
    await expect(save(loop, 'one')).rejects.toThrow('too many links')
  })

  it('keeps the modes of the folder and its files', async () => {
    const target = newTarget()
    await save(target, 'one')
    fs.chmodSync(join(target, 'run.txt'), 0o600)
    fs.chmodSync(target, 0o710)
    let during = 0
    await writeFolder(target, KIND, { overwrite: true }, (aside) => {
      during = fs.statSync(aside).mode & 0o777
      return Promise.resolve(put(aside, 'two'))
    })
    expect(during).toBe(0o710)
    expect(fs.statSync(target).mode & 0o777).toBe(0o710)
    expect(fs.statSync(join(target, 'run.txt')).mode & 0o777).toBe(0o600)
  })

  it('goes on after a write that could not be put in its place', async () => {
    const target = newTarget()
    const writer = await openFolder(target, KIND, { keepPreviousAs: 'previous' })
    const write = (content: string): Promise<void> => writer.write((aside) => Promise.resolve(put(aside, content)))
    await write('one')
    onRename = (from) => {
      if (from === placesOf(target).next) throw fault('EBUSY')
    }
    await expect(write('two')).rejects.toThrow(`it is complete in ${placesOf(target).next}`)
    expect(text(target)).toBe('one')
    onRename = undefined
    await write('three')
    expect([text(target), text(join(target, 'previous'))]).toEqual(['three', 'two'])
    await writer.close()
    expect(beside(target)).toEqual([])
  })

  it('an error while it is filled leaves what was there, and nothing beside it', async () => {
    const target = newTarget()
    await save(target, 'one')
    const failing = writeFolder(target, KIND, { overwrite: true }, (aside) => {
      put(aside, 'two')
      throw fault('ENOSPC')
    })
    await expect(failing).rejects.toThrow(`save: cannot write ${target}: no space left on the disk`)
    expect(text(target)).toBe('one')
    expect(beside(target)).toEqual([])
  })
})

describe('openFolder, before the work', () => {
  it.skipIf(asRoot)('refuses a folder that cannot be written', async () => {
    const target = newTarget()
    fs.chmodSync(join(target, '..'), 0o500)
    await expect(openFolder(target, KIND)).rejects.toThrow(`save: cannot write ${target}: permission denied`)
    fs.chmodSync(join(target, '..'), 0o700)
  })

  it.each(['EACCES', 'EROFS', 'ENOSPC'])('refuses where beside it nothing can be renamed: %s', async (code) => {
    const target = newTarget()
    onRename = (from) => {
      if (from.endsWith('.partial')) throw fault(code)
    }
    await expect(openFolder(target, KIND)).rejects.toThrow(`save: cannot write ${target}: `)
    expect(beside(target)).toEqual([])
  })

  it('refuses a mount point, and names a folder inside it', async () => {
    const target = newTarget()
    fs.mkdirSync(target)
    onRename = (_, to) => {
      if (to.endsWith('itself')) throw fault('EXDEV')
    }
    await expect(openFolder(target, KIND)).rejects.toThrow(
      `save: ${target} is a mount point, which cannot be replaced; choose a folder inside it, such as ${target}/run`,
    )
    expect(beside(target)).toEqual([])
  })

  it('refuses a folder that holds a mount point, and moves no link in it', async () => {
    const target = newTarget()
    await save(target, 'one')
    fs.mkdirSync(join(target, 'disk'))
    fs.mkdirSync(join(target, 'plain'))
    fs.symlinkSync(join(target, 'plain'), join(target, 'link'))
    onRename = (from, to) => {
      if (from.endsWith('disk') && to.endsWith('itself')) throw fault('EBUSY')
    }
    await expect(openFolder(target, KIND, { overwrite: true })).rejects.toThrow(
      `save: ${target} holds the mount point disk, which cannot be moved; choose another folder`,
    )
    onRename = undefined
    await (await openFolder(target, KIND, { overwrite: true })).close()
    expect(fs.readdirSync(target).sort()).toEqual(['disk', 'link', 'plain', 'run.txt'])
    expect(fs.readdirSync(join(target, 'plain'))).toEqual([])
  })

  it.skipIf(asRoot)('refuses to replace a folder whose content it may not move', async () => {
    const target = newTarget()
    await save(target, 'one')
    fs.chmodSync(target, 0o500)
    await expect(openFolder(target, KIND, { overwrite: true })).rejects.toThrow('may not be changed by this user')
    fs.chmodSync(target, 0o700)
  })

  const mounts = fs.existsSync('/dev/shm') && fs.statSync('/dev/shm').dev !== fs.statSync('/dev').dev
  it.skipIf(!mounts)('knows a mount point of the machine', async () => {
    await expect(openFolder('/dev/shm', KIND)).rejects.toThrow('is a mount point')
  })

  it.skipIf(!asRoot)('knows a folder of the same disk that is mounted at another place', async (context) => {
    const target = newTarget()
    const source = newTarget()
    fs.mkdirSync(target)
    fs.mkdirSync(source)
    if (spawnSync('mount', ['--bind', source, target]).status !== 0) return context.skip()
    try {
      await expect(openFolder(target, KIND)).rejects.toThrow('is a mount point')
    } finally {
      spawnSync('umount', [target])
    }
  })

  it('refuses a second writer while the first is open', async () => {
    const target = newTarget()
    const writer = await openFolder(target, KIND)
    await expect(openFolder(target, KIND)).rejects.toThrow(`save: ${target} is being written by this process`)
    await writer.write((aside) => Promise.resolve(put(aside, 'one')))
    await writer.close()
    await save(target, 'two', true)
    expect(text(target)).toBe('two')
  })
})

describe('a fault as the folder is put in its place', () => {
  it.each(['EBUSY', 'EXDEV', 'EIO'])('%s of the old one: both stay whole, and the error says where', async (code) => {
    const target = newTarget()
    await save(target, 'one')
    onRename = (from) => {
      if (from === target && !from.endsWith('itself')) throw fault(code)
    }
    const writing = writeFolder(target, KIND, { overwrite: true }, (aside) => Promise.resolve(put(aside, 'two')))
    await expect(writing).rejects.toThrow(code === 'EIO' ? `it is complete in ${placesOf(target).next}` : 'mount point')
    expect(text(target)).toBe('one')
    if (code === 'EIO') expect(text(placesOf(target).next)).toBe('two')
  })

  it('of the new one: the old one is put back', async () => {
    const target = newTarget()
    const { next, previous } = placesOf(target)
    await save(target, 'one')
    onRename = (from) => {
      if (from === next) throw fault('EBUSY')
    }
    await expect(save(target, 'two', true)).rejects.toThrow(`(EBUSY: by the test); it is complete in ${next}; move it`)
    expect([text(target), text(next)]).toEqual(['one', 'two'])
    expect(fs.existsSync(previous)).toBe(false)
    // Later the disk is well again, and the next writer finishes.
    onRename = undefined
    await (await openFolder(target, KIND, { overwrite: true })).close()
    expect(text(target)).toBe('two')
    expect(beside(target)).toEqual([])
  })

  it('of both: the error says where each is, and a reader finds the new one later', async () => {
    const target = newTarget()
    const { next, previous } = placesOf(target)
    await save(target, 'one')
    onRename = (from) => {
      if (from === next || from === previous) throw fault('EIO')
    }
    await expect(save(target, 'two', true)).rejects.toThrow(`what was there before is in ${previous}`)
    onRename = undefined
    await recoverFolder(target)
    expect(text(target)).toBe('two')
  })
})

describe('a writer that was killed', () => {
  const dead = { pid: 2 ** 22 + 1, host: hostname(), started: 'long ago', token: 'a' }

  /** Stops a writer for ever at its n-th rename, as a kill does. */
  async function killAt(target: string, n: number): Promise<boolean> {
    const reached = new Promise<boolean>((resolve) => {
      let renames = 0
      onRename = () => {
        if (++renames < n) return
        resolve(true)
        return new Promise(() => undefined)
      }
      void save(target, 'new', true).then(() => resolve(false))
    })
    const stopped = await reached
    onRename = undefined
    if (stopped) fs.writeFileSync(placesOf(target).lock, JSON.stringify(dead))
    return stopped
  }

  it.each([true, false])(
    'at any of its renames: readers and writers find it whole (there before: %s)',
    async (there) => {
      let n = 1
      for (let going = true; going; n++) {
        for (const reader of [true, false]) {
          const target = newTarget()
          if (there) {
            await save(target, 'old')
            put(target, 'mine', 'notes.md')
          }
          going = await killAt(target, n)
          if (reader) await recoverFolder(join(target, 'run.txt'))
          if (fs.existsSync(target)) expect(['old', 'new']).toContain(text(target))
          else expect(there && reader).toBe(false)
          await (await openFolder(target, KIND, { overwrite: true })).close()
          expect(beside(target), `rename ${n}`).toEqual([])
          if (there) expect([text(target, 'notes.md'), ['old', 'new'].includes(text(target))]).toEqual(['mine', true])
        }
      }
      expect(n).toBeGreaterThan(there ? 5 : 3)
    },
  )

  it('between two renames: a reader who cannot move it is told where it is', async () => {
    const target = newTarget()
    const { next } = placesOf(target)
    put(next, 'new')
    onRename = () => {
      throw fault('EROFS')
    }
    await expect(recoverFolder(join(target, 'within', 'file'))).rejects.toThrow(
      `${target} is not there: its writer was ended as it was replaced; it is whole in ${next}, rename that`,
    )
    expect(text(next)).toBe('new')
  })

  it('does not cost what somebody has put there since', async () => {
    const target = newTarget()
    put(placesOf(target).next, 'new')
    put(target, 'mine', 'thesis.md')
    await expect(openFolder(target, KIND, { overwrite: true })).rejects.toThrow('holds files but no run')
    expect(text(target, 'thesis.md')).toBe('mine')
  })

  it('with SIGKILL at random moments leaves the old or the new one whole', async () => {
    const target = newTarget()
    await killWriters(target, 6, Math.random)
    expect(readNumber(target)).toBeGreaterThan(0)
  })
})

it('two processes that write one folder: each writes it whole, or is refused by name', async () => {
  const target = newTarget()
  const said: string[][] = [[], []]
  const writers = said.map((lines, i) => startWriter([target, String(1 + 1000 * i), '40'], (line) => lines.push(line)))
  await Promise.all(writers.map((writer) => writer.ended))
  const refused = /^count: .* is being written by process \d+; wait for its end, or choose another folder$/
  for (const lines of said) {
    expect(lines).toHaveLength(41)
    for (const line of lines.slice(1)) expect(line).toMatch(/^\d+$/.test(line) ? /^\d+$/ : refused)
  }
  expect(readNumber(target)).toBeGreaterThan(0)
  expect(beside(target)).toEqual([])
})
