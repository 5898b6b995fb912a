import { mkdtempSync, rmSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { afterAll } from 'vitest'

const folder = mkdtempSync(join(tmpdir(), 'dataset-'))
afterAll(() => rmSync(folder, { recursive: true }))

/** Path of a file with that content, in a folder of its own for each test file. */
export async function writeFixture(name: string, content: string | Uint8Array): Promise<string> {
  const path = join(folder, name)
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  return path
}

export const jsonl = (...records: unknown[]): string => records.map((record) => JSON.stringify(record)).join('\n')
