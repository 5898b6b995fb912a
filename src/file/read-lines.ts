import { isUtf8 } from 'node:buffer'
import { open } from 'node:fs/promises'
import { errorMessage, isMissing } from './write-error.js'

/** Lines that follow one another, without their ends. */
export interface LineBlock {
  /** Number of the first one, from 1. */
  first: number
  lines: string[]
}

/** Bytes that are read at a time. */
const CHUNK = 1 << 20

const NEWLINE = 0x0a

/**
 * The lines of a UTF-8 file, read block by block: memory holds one block and the longest line. A byte order mark is
 * skipped, `\r` before a line's end stays.
 * @param what What the file is, for errors: `question set`.
 * @param endedOnly Leaves out a last line that has no end: its writer is at work, or was killed. Default false.
 * @throws {Error} where the file cannot be read, or is not UTF-8; with the line and a remedy
 */
export async function* readLines(
  path: string,
  what: string,
  chunk = CHUNK,
  endedOnly = false,
): AsyncGenerator<LineBlock> {
  let first = 1
  for await (const bytes of readWholeLines(path, what, chunk)) {
    if (endedOnly && bytes.at(-1) !== NEWLINE) return
    if (first === 1) checkStart(bytes, `read ${what} ${path}`)
    if (!isUtf8(bytes)) {
      throw new Error(
        `read ${what} ${path}, line ${first + linesBeforeFault(bytes)}: the bytes are not UTF-8; ` +
          'save the file as UTF-8 (from Windows: `iconv -f windows-1252 -t utf-8`)',
      )
    }
    const text = bytes.toString('utf8')
    const lines = (first === 1 ? text.replace(/^\uFEFF/, '') : text).split('\n')
    // Behind the last newline there is no line.
    if (bytes.at(-1) === NEWLINE) lines.pop()
    yield { first, lines }
    first += lines.length
  }
}

/** The file's bytes, cut behind newlines: a character of several bytes is never cut. */
async function* readWholeLines(path: string, what: string, chunk: number): AsyncGenerator<Buffer> {
  const file = await open(path, 'r').catch((error: unknown) => {
    const rule = isMissing(error)
      ? 'the file does not exist; check the path'
      : `the file cannot be read (${errorMessage(error)})`
    throw new Error(`read ${what} ${path}: ${rule}`, { cause: error })
  })
  try {
    let begun: Buffer[] = []
    for (;;) {
      const { bytesRead, buffer } = await file
        .read(Buffer.allocUnsafe(chunk), 0, chunk, null)
        .catch((error: unknown) => {
          throw new Error(`read ${what} ${path}: the file cannot be read (${errorMessage(error)})`, { cause: error })
        })
      if (bytesRead === 0) break
      const bytes = buffer.subarray(0, bytesRead)
      const end = bytes.lastIndexOf(NEWLINE) + 1
      if (end === 0) begun.push(bytes)
      else {
        yield Buffer.concat([...begun, bytes.subarray(0, end)])
        begun = end < bytes.length ? [bytes.subarray(end)] : []
      }
    }
    if (begun.length > 0) yield Buffer.concat(begun)
  } finally {
    await file.close()
  }
}

/** UTF-16, which Windows calls Unicode, shows itself by its mark, or by the zero beside a first plain character. */
function checkStart(bytes: Buffer, place: string): void {
  const [a, b] = bytes
  if (!(a === 0xff && b === 0xfe) && !(a === 0xfe && b === 0xff) && a !== 0 && b !== 0) return
  throw new Error(`${place}: the file is UTF-16; save it as UTF-8 (\`iconv -f utf-16 -t utf-8\`)`)
}

/** Newline bytes are part of no other character, so that each line can be looked at alone. */
function linesBeforeFault(bytes: Buffer): number {
  for (let line = 0, start = 0; ; line++) {
    const newline = bytes.indexOf(NEWLINE, start)
    const end = newline < 0 ? bytes.length : newline
    if (!isUtf8(bytes.subarray(start, end))) return line
    start = end + 1
  }
}
