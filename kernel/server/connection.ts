import { readFileSync } from 'node:fs'

/** What a connection file says (jupyter_client, "Connection files"). */
export interface Connection {
  transport: 'tcp' | 'ipc'
  ip: string
  key: string
  shell_port: number
  control_port: number
  iopub_port: number
  stdin_port: number
  hb_port: number
}

export type Channel = 'shell' | 'control' | 'iopub' | 'stdin' | 'hb'

/** @throws {Error} where the file is unreadable, or asks for a transport or signature that is not known */
export function readConnection(path: string): Connection {
  const file = JSON.parse(readFileSync(path, 'utf8')) as Connection & { signature_scheme?: string }
  const scheme = file.signature_scheme ?? 'hmac-sha256'
  if (scheme !== 'hmac-sha256')
    throw new Error(`connection file: the signature scheme must be hmac-sha256, got ${scheme}`)
  const transport = file.transport ?? 'tcp'
  if (transport !== 'tcp' && transport !== 'ipc')
    throw new Error(`connection file: the transport must be tcp or ipc, got ${String(transport)}`)
  for (const channel of ['shell', 'control', 'iopub', 'stdin', 'hb'] as const) {
    const port = file[`${channel}_port`]
    if (!Number.isInteger(port))
      throw new Error(`connection file: ${channel}_port must be an integer, got ${String(port)}`)
  }
  return { ...file, transport, ip: file.ip, key: file.key ?? '' }
}

/** What a socket binds to: what the file names, nothing wider. */
export function address(connection: Connection, channel: Channel): string {
  const { transport, ip } = connection
  const port = connection[`${channel}_port`]
  return transport === 'ipc' ? `ipc://${ip}-${port}` : `tcp://${ip}:${port}`
}
