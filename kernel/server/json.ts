/** What messages of a type are to the person who wrote the cell. */
const OPERATIONS: Record<string, string> = {
  display_data: 'display',
  update_display_data: 'display',
  execute_result: 'display',
  comm_open: 'comm.open',
  comm_msg: 'comm.send',
  comm_close: 'comm.close',
}

/**
 * A part of a message as JSON. Lone surrogates, which JSON may hold but neither UTF-8 nor Python can, become U+FFFD: in
 * values, in keys, everywhere, for all that is sent passes through here.
 * @param type of the message, for the error
 * @throws {TypeError} where JSON cannot hold the value: what and where it is, and what to do about it
 */
export function jsonText(part: object, type: string): string {
  let text: string
  try {
    text = JSON.stringify(part)
  } catch (error) {
    throw unencodable(`${OPERATIONS[type] ?? type}:`, part, error)
  }
  // JSON.stringify escapes lone surrogates, and no others.
  return text.includes('\\ud')
    ? text.replace(/\\(?:u.{4}|[^u])/g, (escape) => (escape.startsWith('\\ud') ? '\ufffd' : escape))
    : text
}

function unencodable(operation: string, part: object, error: unknown): TypeError {
  const bigint = findBigInt(part)
  if (bigint !== undefined)
    return new TypeError(
      `${operation} ${bigint} is a BigInt, which JSON can’t hold; convert it by Number(…) or String(…)`,
    )
  const message = messageOf(error)
  if (message.startsWith('Converting circular'))
    return new TypeError(
      `${operation} the value refers to itself, which JSON can’t hold; leave out the property that closes the circle\n${message}`,
    )
  if (message.startsWith('Maximum call stack'))
    return new TypeError(`${operation} the value is nested too deeply for JSON; flatten it, or show a part`)
  if (message.startsWith('Invalid string length'))
    return new TypeError(
      `${operation} the value is longer as JSON than a string can be (512 MB); show a part of it, or write it to a file`,
    )
  // A getter or a toJSON of the value threw.
  return new TypeError(`${operation} the value can’t be written as JSON; show a plain copy of it`, { cause: error })
}

function messageOf(error: unknown): string {
  try {
    return String((error as Error).message)
  } catch {
    return 'it throws when it is read'
  }
}

/** The path of the first BigInt that JSON would have to write, such as `data["application/json"].n`. */
function findBigInt(part: object): string | undefined {
  const paths = new Map<unknown, string>()
  let found: string | undefined
  try {
    JSON.stringify(part, function (this: unknown, key: string, value: unknown) {
      if (found !== undefined) return undefined
      const parent = paths.get(this) ?? ''
      const path = key === '' ? '' : parent === '' ? key : `${parent}${member(key, Array.isArray(this))}`
      if (typeof value === 'bigint') found = path
      // A value that is met again is one that refers to itself, or it was looked through already.
      if (typeof value !== 'object' || value === null) return undefined
      if (paths.has(value)) return undefined
      paths.set(value, path)
      return value
    })
  } catch {
    // What else is wrong with the value, the caller says.
  }
  return found
}

function member(key: string, isIndex: boolean): string {
  if (isIndex) return `[${key}]`
  return /^[\p{ID_Start}_$][\p{ID_Continue}$]*$/u.test(key) ? `.${key}` : `[${JSON.stringify(key)}]`
}
