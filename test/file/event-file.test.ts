import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { encodeEvent, eventFileStart } from '../../src/file/event-file.js'
import type { ScalarEvent } from '../../src/file/event-file.js'

const { cases } = JSON.parse(readFileSync(join(import.meta.dirname, '../parity/fixtures/events.json'), 'utf8')) as {
  cases: { start: number; events: ScalarEvent[]; bytes: string }[]
}

test.each(cases.map((one, i) => [i, one] as const))(
  "golden file %i: the bytes are those of TensorBoard's writer",
  (_, { start, events, bytes }) => {
    const file = Buffer.concat([eventFileStart(start), ...events.map(encodeEvent)])
    expect(file.toString('base64')).toBe(bytes)
  },
)
