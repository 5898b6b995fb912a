/** Parts of a wheel, unpacked with the permissions that they have in it. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'

const script = join(import.meta.dirname, '..', '..', 'kernel', 'unpack_wheel.py')
const folder = mkdtempSync(join(tmpdir(), 'zerosearch-'))
const wheel = join(folder, 'sample.whl')
afterAll(() => rmSync(folder, { recursive: true }))

const MAKE_WHEEL = `
import sys, zipfile
with zipfile.ZipFile(sys.argv[1], 'w') as archive:
    for name, mode in [('nvidia/cuda_nvcc/bin/ptxas', 0o755), ('nvidia/cublas/lib/libcublas.so', 0o644), ('other/file', 0o644)]:
        entry = zipfile.ZipInfo(name)
        entry.external_attr = mode << 16
        archive.writestr(entry, name)
`
const python = (...args: string[]): string => execFileSync('python3', args, { encoding: 'utf8', stdio: 'pipe' })

describe('unpack_wheel.py', () => {
  beforeAll(() => {
    python('-c', MAKE_WHEEL, wheel)
    python(script, wheel, join(folder, 'out'), 'nvidia/')
  })
  const unpacked = (name: string): string => join(folder, 'out', name)

  it('takes what starts with the prefixes, and nothing else', () => {
    expect(readFileSync(unpacked('nvidia/cublas/lib/libcublas.so'), 'utf8')).toBe('nvidia/cublas/lib/libcublas.so')
    expect(existsSync(unpacked('other'))).toBe(false)
  })

  it('keeps programs executable: XLA runs ptxas', () => {
    expect(statSync(unpacked('nvidia/cuda_nvcc/bin/ptxas')).mode & 0o111).toBe(0o111)
    expect(statSync(unpacked('nvidia/cublas/lib/libcublas.so')).mode & 0o111).toBe(0)
  })

  it('refuses a wheel in which nothing fits', () => {
    expect(() => python(script, wheel, join(folder, 'none'), 'tensorflow/')).toThrow(/starts with tensorflow/)
  })
})
