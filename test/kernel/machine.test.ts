/** What a machine lacks is said with its remedy. */
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest'

const machine = (await import(join(import.meta.dirname, '..', '..', 'kernel', 'machine.mjs'))) as {
  findPython(): string
  findCompiler(): string
}

const folder = mkdtempSync(join(tmpdir(), 'zerosearch-'))
afterAll(() => rmSync(folder, { recursive: true }))
afterEach(() => vi.unstubAllEnvs())

/** A program that answers as `script` says; the only one that is found. */
function onlyProgram(name: string, script: string): void {
  const path = join(folder, name)
  writeFileSync(path, `#!/bin/sh\n${script}\n`)
  chmodSync(path, 0o755)
  vi.stubEnv('PATH', folder)
  vi.stubEnv('PYTHON', undefined)
  vi.stubEnv('CXX', undefined)
}

describe('a compiler', () => {
  it('is named by CXX first', () => {
    onlyProgram('my-compiler', 'echo 1.0')
    vi.stubEnv('CXX', 'my-compiler')
    expect(machine.findCompiler()).toBe('my-compiler')
  })

  it('that is missing is said with what installs it', () => {
    onlyProgram('something-else', 'exit 0')
    expect(() => machine.findCompiler()).toThrow(
      /g\+\+, clang\+\+, c\+\+.*sudo apt install g\+\+.*xcode-select --install/s,
    )
  })
})

describe('a Python', () => {
  it('that is too old is said with its version', () => {
    onlyProgram('python3', 'echo 3.9')
    expect(() => machine.findPython()).toThrow(/3\.10 to 3\.14.*python3 \(3\.9\).*sudo apt install python3/s)
  })

  it('without the venv module is said with the package that has it', () => {
    onlyProgram('python3', 'case "$2" in *ensurepip*) exit 1;; *) echo 3.12;; esac')
    expect(() => machine.findPython()).toThrow(/3\.12 lacks its venv module.*sudo apt install python3\.12-venv/s)
  })

  it('of another name is taken where python3 is too old', () => {
    onlyProgram('python3', 'echo 3.9')
    onlyProgram('python3.13', 'echo 3.13')
    expect(machine.findPython()).toBe('python3.13')
  })
})
