// The thread that reads pages: `page-thread.ts` starts it and sends it one page at a time.
import { parentPort } from 'node:worker_threads'
import { pageText } from './page-text.js'
import type { PageText } from './page-text.js'

export interface PageJob {
  bytes: Uint8Array
  contentType: string
}

export type PageAnswer = { read: PageText } | { error: string }

const port = parentPort!
port.on('message', ({ bytes, contentType }: PageJob) => {
  let answer: PageAnswer
  try {
    answer = { read: pageText(bytes, contentType) }
  } catch (error) {
    answer = { error: error instanceof Error ? error.message : String(error) }
  }
  port.postMessage(answer)
})
port.postMessage('ready')
