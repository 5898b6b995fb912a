import { createReadStream } from 'node:fs'
import type { FileRecord } from './file-record.js'
import { quote } from './file-record.js'

/** And what is below it: white space, in JSON. */
const BLANK = 0x20
const QUOTE = 0x22
const COMMA = 0x2c
const OPEN_LIST = 0x5b
const BACKSLASH = 0x5c
const CLOSE_LIST = 0x5d
const OPEN_OBJECT = 0x7b
const CLOSE_OBJECT = 0x7d

const decoder = new TextDecoder('utf-8', { fatal: true })

/**
 * The elements of a JSON file's list: the file itself, or the first list that its object holds, such as TriviaQA's `Data`.
 * Read piece by piece, because such files are longer than a string can be: memory holds one element.
 */
export async function* readJsonArray(path: string): AsyncGenerator<FileRecord> {
  let depth = 0
  /** Depth inside of the list; 0 outside of it. */
  let list = 0
  let state: 'before' | 'within' | 'behind' = 'before'
  let inString = false
  let escaped = false
  let number = 0
  let begun: Buffer[] = []
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 }) as AsyncIterable<Buffer>) {
    let from = 0
    for (let i = 0; i < chunk.length; i++) {
      const byte = chunk[i]!
      if (inString) {
        if (escaped) escaped = false
        else if (byte === BACKSLASH) escaped = true
        else if (byte === QUOTE) inString = false
        continue
      }
      if (state === 'behind' && depth === 0 && byte > BLANK) {
        yield {
          place: 'behind the list',
          fault: 'the file goes on, which is not read; is it JSON lines, or several lists?',
        }
        return
      }
      if (byte === QUOTE) inString = true
      else if (byte === OPEN_LIST || byte === OPEN_OBJECT) {
        depth++
        if (byte === OPEN_LIST && state === 'before' && depth <= 2) {
          state = 'within'
          list = depth
          from = i + 1
        }
      } else if (state === 'within' && depth === list && (byte === COMMA || byte === CLOSE_LIST)) {
        const text = Buffer.concat([...begun, chunk.subarray(from, i)])
        begun = []
        from = i + 1
        const record = parse(text, number + 1)
        if (record) {
          number++
          yield record
        }
        if (byte === CLOSE_LIST) {
          state = 'behind'
          depth--
        }
      } else if (byte === CLOSE_LIST || byte === CLOSE_OBJECT) depth--
    }
    if (state === 'within') begun.push(chunk.subarray(from))
  }
  if (state === 'before') yield { place: 'the file', fault: 'there is no list of records in it' }
  if (state === 'within') yield { place: `record ${number + 1}`, fault: 'the file ends in it; is it cut off?' }
}

/** Undefined for white space, which an empty list holds. */
function parse(bytes: Buffer, number: number): FileRecord | undefined {
  const place = `record ${number}`
  let text: string
  try {
    text = decoder.decode(bytes)
  } catch {
    return { place, fault: 'its bytes are not UTF-8; save the file as UTF-8' }
  }
  if (text.trim() === '') return undefined
  try {
    return { place, value: JSON.parse(text) as unknown }
  } catch {
    return { place, fault: `a record must be JSON, got ${quote(text.trim())}` }
  }
}
