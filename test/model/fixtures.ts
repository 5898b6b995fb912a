import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect } from 'vitest'

interface Encoded {
  shape: number[]
  base64: string
}

/** What test/parity/make-checkpoints.py writes beside each checkpoint. */
export interface Golden {
  versions: Record<string, string>
  eosIds: number[]
  vocabulary: number
  batch: { ids: number[][]; starts: number[]; logits: Encoded }
  rows: { ids: number[]; logits: Encoded }[]
  greedy: { prompt: number[]; ids: number[]; margin: number }[]
  texts: { text: string; ids: number[]; decoded: string; decodedSkip: string; prefixes: string[] }[]
  chats: { messages: { role: 'system' | 'user' | 'assistant'; content: string }[]; prompt: string; ids: number[] }[]
}

export const CHECKPOINTS = ['qwen2', 'qwen2-sharded', 'qwen3', 'llama3', 'gemma2', 'gemma3'] as const

export function checkpointFolder(name: string): string {
  return join(import.meta.dirname, '../parity/fixtures/checkpoints', name)
}

export function readGolden(name: string): Golden {
  return JSON.parse(readFileSync(join(checkpointFolder(name), 'golden.json'), 'utf8')) as Golden
}

export function decodeArray({ shape, base64 }: Encoded): { shape: number[]; data: Float32Array } {
  const bytes = Uint8Array.from(Buffer.from(base64, 'base64'))
  return { shape, data: new Float32Array(bytes.buffer) }
}

/** A folder that is deleted after the file's tests. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'zerosearch-test-'))
  afterAll(() => rmSync(folder, { recursive: true, force: true }))
  return folder
}

/** NaN counts as infinite. */
export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  expect(a.length).toBe(b.length)
  let largest = 0
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i]! - b[i]!)
    largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference)
  }
  return largest
}
