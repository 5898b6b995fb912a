import { request } from 'node:http'
import type { OutgoingHttpHeaders } from 'node:http'

export interface Answered {
  status: number
  headers: NodeJS.Dict<string | string[]>
  text: string
}

/** One request over `node:http`. @param sent A value becomes JSON; a text or bytes are sent as they are. */
export function ask(
  url: string,
  sent?: unknown,
  {
    headers = {},
    signal,
    method = sent === undefined ? 'GET' : 'POST',
  }: {
    headers?: OutgoingHttpHeaders
    signal?: AbortSignal
    method?: string
  } = {},
): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const asking = request(url, {
      method,
      headers: { 'content-type': 'application/json', ...headers },
      ...(signal && { signal }),
    })
    asking.on('error', reject)
    asking.on('response', (response) => {
      const chunks: Buffer[] = []
      response.on('error', reject)
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('end', () =>
        resolve({ status: response.statusCode!, headers: response.headers, text: Buffer.concat(chunks).toString() }),
      )
    })
    asking.end(
      typeof sent === 'string' || Buffer.isBuffer(sent) ? sent : sent === undefined ? undefined : JSON.stringify(sent),
    )
  })
}

/** The value of an answer in JSON. */
export const json = async (answered: Promise<Answered>): Promise<unknown> => JSON.parse((await answered).text)
