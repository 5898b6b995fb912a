/** Facts of the package that npm, tslab and users' machines rely on. Reads the build in dist/, which the set-up makes. */
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { join, sep } from 'node:path'
import type * as TypeScript from 'typescript'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '..')
const require = createRequire(import.meta.url)

interface LockedPackage {
  version?: string
  resolved?: string
  link?: boolean
  optionalDependencies?: Record<string, string>
}
interface Manifest {
  main: string
  types: string
  dependencies: Record<string, string>
  devDependencies: Record<string, string>
  overrides: Record<string, string>
}

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as Manifest
const lockfile = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
  packages: Record<string, LockedPackage>
}
const locked = Object.entries(lockfile.packages)
/** Every version of a package in the lockfile, wherever it is nested. */
const versionsOf = (name: string): (string | undefined)[] =>
  locked.filter(([path]) => path.endsWith(`node_modules/${name}`)).map(([, entry]) => entry.version)

describe('package.json and the lockfile', () => {
  it('pins what the package needs at run time', () => {
    const loose = Object.entries(manifest.dependencies).filter(
      ([, version]) => !/^(\d+\.\d+\.\d+|file:.*|npm:.*@\d+\.\d+\.\d+)$/.test(version),
    )
    expect(loose).toEqual([])
  })

  it('applies its overrides', () => {
    expect(versionsOf('@uwdata/flechette')).toEqual(['2.6.0'])
    expect(versionsOf('xlsx')).toEqual(['0.18.5'])
    expect(versionsOf('@tensorflow/tfjs')).toEqual(['4.22.0'])
  })

  it('has one TensorFlow binding, which danfojs shares', () => {
    const danfo = createRequire(join(root, 'node_modules', 'danfojs-node', 'package.json'))
    const standIn = danfo.resolve('@tensorflow/tfjs-node')
    expect(standIn).toBe(join(root, 'kernel', 'tfjs-node', 'index.js'))
    const binding = readFileSync(standIn, 'utf8')
    expect(binding).toContain("require('@tensorflow/tfjs-node-gpu')")
    expect(versionsOf('@tensorflow/tfjs-node-gpu')).toEqual(['4.22.0'])
  })

  it('names no host to fetch from, so that every registry serves', () => {
    expect(locked.filter(([, { resolved }]) => /^\w+:\/\//.test(resolved ?? ''))).toEqual([])
  })

  it('holds the builds of native packages for every platform, not only the one it was made on', () => {
    const missing = locked.flatMap(([path, { optionalDependencies = {} }]) =>
      Object.keys(optionalDependencies).filter(
        (name) => !(`${path}/node_modules/${name}` in lockfile.packages || `node_modules/${name}` in lockfile.packages),
      ),
    )
    expect(missing).toEqual([])
  })
})

describe('the built package', () => {
  const types = join(root, manifest.types)

  it('has the files that main and types name: tslab ignores exports', () => {
    expect(existsSync(join(root, manifest.main))).toBe(true)
    expect(existsSync(types)).toBe(true)
  })

  it("has declarations that tslab's own TypeScript reads without an error", () => {
    const ts = require('@tslab/typescript-for-tslab') as typeof TypeScript
    const files = readdirSync(join(root, 'dist'), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.d.ts'))
      .map((name) => join(root, 'dist', name))
    expect(files.length).toBeGreaterThan(20)
    // As tslab compiles a cell (its dist/converter.js), but for skipLibCheck, which would hide our own faults.
    const program = ts.createProgram(files, {
      module: ts.ModuleKind.ESNext,
      moduleResolution: ts.ModuleResolutionKind.NodeJs,
      target: ts.ScriptTarget.ES2022,
      lib: ['lib.es2022.d.ts'],
      esModuleInterop: true,
      skipLibCheck: false,
      noEmit: true,
      types: ['node'],
      typeRoots: [join(root, 'node_modules', '@types')],
    })
    const ours = ts
      .getPreEmitDiagnostics(program)
      .filter(({ file }) => file?.fileName.startsWith(join(root, 'dist').replaceAll(sep, '/') + '/'))
      .map(({ file, messageText }) => `${file?.fileName}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`)
    expect(ours).toEqual([])
  })

  it('is loaded by its name with require(), as a cell does', () => {
    const script = "process.stdout.write(Object.keys(require('zerosearch')).join())"
    const preload = join(root, 'kernel', 'preload.cjs')
    const cwd = join(root, 'test')
    const names = execFileSync(process.execPath, ['--require', preload, '-e', script], { cwd, encoding: 'utf8' })
    expect(names.split(',')).toEqual(expect.arrayContaining(['loadModel', 'rollOut', 'train', 'evaluate']))
  })
})

describe('tslab', () => {
  it('is the version whose behaviour the kernel was written for', () => {
    expect(manifest.dependencies['tslab']).toBe('1.0.22')
    expect((require('tslab/package.json') as { version: string }).version).toBe('1.0.22')
  })
})
