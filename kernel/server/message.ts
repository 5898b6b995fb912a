import { createHmac, randomUUID, timingSafeEqual } from 'node:crypto'

/** Header of a Jupyter message (protocol 5.4). */
export interface Header {
  msg_id: string
  session: string
  username: string
  date: string
  msg_type: string
  version: string
}

/** A message as it is on the wire, decoded. `identities` are ZeroMQ's routing frames, or the topic on IOPub. */
export interface Message {
  identities: Uint8Array[]
  header: Header
  parent: Header | Record<string, never>
  metadata: Record<string, unknown>
  content: Record<string, unknown>
  /** The content as it came. */
  contentText: string
  buffers: Uint8Array[]
}

export const PROTOCOL_VERSION = '5.4'
const DELIMITER = Buffer.from('<IDS|MSG>')

export function makeHeader(type: string, session: string): Header {
  const date = new Date().toISOString()
  return { msg_id: randomUUID(), session, username: 'kernel', date, msg_type: type, version: PROTOCOL_VERSION }
}

/** The parts of a message as they are signed and sent: JSON. */
export interface EncodedMessage {
  identities: Uint8Array[]
  header: string
  parent: string
  metadata: string
  content: string
  buffers: Uint8Array[]
}

/** Frames to send. An empty key means that messages are not signed, as the protocol has it. */
export function encodeMessage(message: EncodedMessage, key: string): Uint8Array[] {
  const { header, parent, metadata, content } = message
  const parts = [header, parent, metadata, content].map((part) => Buffer.from(part))
  return [...message.identities, DELIMITER, Buffer.from(sign(parts, key)), ...parts, ...message.buffers]
}

/** @throws {Error} where a frame is missing, the signature is not that of the key, or a part is not a JSON object */
export function decodeMessage(frames: readonly Uint8Array[], key: string): Message {
  const delimiter = frames.findIndex((frame) => DELIMITER.equals(frame))
  if (delimiter < 0 || frames.length < delimiter + 6)
    throw new Error(`message: a delimiter and five parts are needed, got ${frames.length} frames`)
  const parts = frames.slice(delimiter + 2, delimiter + 6)
  const signature = Buffer.from(frames[delimiter + 1]!)
  const expected = Buffer.from(sign(parts, key))
  if (signature.length !== expected.length || !timingSafeEqual(signature, expected))
    throw new Error('message: the signature is not that of the connection file’s key')
  const [header, parent, metadata, content] = parts.map((part) => {
    const value: unknown = JSON.parse(Buffer.from(part).toString('utf8'))
    if (typeof value !== 'object' || value === null || Array.isArray(value))
      throw new Error('message: a part is not a JSON object')
    return value
  })
  if (typeof (header as Header).msg_type !== 'string') throw new Error('message: the header has no msg_type')
  return {
    identities: frames.slice(0, delimiter),
    header: header as Header,
    parent: parent as Header,
    metadata: metadata as Message['metadata'],
    content: content as Message['content'],
    contentText: Buffer.from(parts[3]!).toString('utf8'),
    buffers: frames.slice(delimiter + 6),
  }
}

function sign(parts: readonly Uint8Array[], key: string): string {
  if (key === '') return ''
  const hmac = createHmac('sha256', key)
  for (const part of parts) hmac.update(part)
  return hmac.digest('hex')
}
