import { closeSync, fstatSync, mkdirSync, openSync, readSync } from 'node:fs'
import { join } from 'node:path'
import { open } from 'lmdb'
import { errorMessage, isMissing, writeError } from './write-error.js'

/** Texts by key, on the disk. */
export interface TextStore {
  get(key: string): string | undefined
  /**
   * Keeps a text, unless the key has one already that `isGood`: several processes may try at once. It is on the disk when
   * the promise resolves.
   * @returns the text that the key has now
   */
  add(key: string, text: string, isGood: (text: string) => boolean): Promise<string>
  close(): Promise<void>
}

/** The part of the address space that the file may fill; it takes no more of the disk than its texts need. */
const MOST_BYTES = 2 ** 40

/**
 * Opens a store, or makes one. Several processes may use it at once (LMDB's locks), and one that is killed leaves it whole.
 * @param folder Made where it is missing.
 * @throws where the folder cannot be written, or what is there is no such store
 */
export function openTextStore(folder: string): TextStore {
  try {
    mkdirSync(folder, { recursive: true })
  } catch (error) {
    throw writeError(folder, error)
  }
  const path = join(folder, 'texts.lmdb')
  const store = openStore(path)
  return {
    get: (key) => store.get(key),
    async add(key, text, isGood) {
      // LMDB itself looks whether there is one, while it holds the lock: what JavaScript reads within an asynchronous
      // transaction can be older than what another process has just written.
      if (await store.ifNoExists(key, () => void store.put(key, text))) return text
      store.resetReadTxn()
      const there = store.get(key)
      if (there !== undefined && isGood(there)) return there
      return store.transactionSync(() => {
        const now = store.get(key)
        if (now !== undefined && isGood(now)) return now
        store.putSync(key, text)
        return text
      })
    },
    close: () => store.close(),
  }
}

function openStore(path: string) {
  try {
    checkStore(path)
    // Without overlapping synchronization a transaction is on the disk before the next one of any process begins.
    return open<string, string>({ path, encoding: 'string', mapSize: MOST_BYTES, overlappingSync: false })
  } catch (error) {
    const message = errorMessage(error)
    throw new Error(`cannot open the store ${path}: ${message}; delete it, or choose another folder`, { cause: error })
  }
}

// Where LMDB's two first pages hold what: they describe the last two transactions.
const MAGIC = { at: 24, value: 0xbeefc0de }
const PAGE_SIZE_AT = 48
const ROOT_AT = 136
const TRANSACTION_AT = 152
const DESCRIPTION_BYTES = 160
/** No page: the root of a store without entries. */
const NO_PAGE = 2n ** 64n - 1n

/** LMDB maps the file into memory, so that a foreign or shortened one would end the process. */
function checkStore(path: string): void {
  let file: number
  try {
    file = openSync(path, 'r')
  } catch (error) {
    if (isMissing(error)) return
    throw error
  }
  try {
    const { size } = fstatSync(file)
    if (size === 0) return
    const first = description(file, 0)
    const pageSize = first.readUInt32LE(PAGE_SIZE_AT)
    const second = description(file, pageSize)
    const last = first.readBigUInt64LE(TRANSACTION_AT) > second.readBigUInt64LE(TRANSACTION_AT) ? first : second
    const root = last.readBigUInt64LE(ROOT_AT)
    if (root !== NO_PAGE && (root + 1n) * BigInt(pageSize) > BigInt(size)) throw new Error('its end is missing')
  } finally {
    closeSync(file)
  }
}

function description(file: number, position: number): Buffer {
  const buffer = Buffer.alloc(DESCRIPTION_BYTES)
  readSync(file, buffer, 0, DESCRIPTION_BYTES, position)
  if (buffer.readUInt32LE(MAGIC.at) !== MAGIC.value) throw new Error('it is no store of LMDB')
  return buffer
}
