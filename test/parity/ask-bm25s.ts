// Our clients ask a retriever that is not ours (`serve-bm25s.py`), and get what our own index gives, in the same order and with the
// same scores: `npx tsx test/parity/ask-bm25s.ts <python with bm25s>`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import * as zs from '../../src/index.js'

const CORPUS = 'data/mini/documents-validation.jsonl'
const ASKED = 200
const TOP = 5

const server = spawn(process.argv[2] ?? 'python3', [join(import.meta.dirname, 'serve-bm25s.py'), CORPUS], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const [said] = (await once(server.stdout, 'data')) as [Buffer]
  const baseUrl = said.toString().trim()
  const own = await zs.createBm25Engine(await zs.readDocuments(CORPUS), { k1: 1.5, b: 0.75 })
  const searchR1 = zs.searchR1Engine({ baseUrl })
  const wiki = zs.wikiEngine({ baseUrl })
  const questions = (await zs.mini.questions('mini-nq', 'validation')).slice(0, ASKED)
  await Promise.all(
    questions.map(async (question) => {
      const context = { question, topK: TOP }
      const [ours, theirs, texts] = await Promise.all(
        [own, searchR1, wiki].map((engine) => engine.search(question.question, context)),
      )
      const close = ours!.every((document, i) => {
        const other = theirs![i]
        return (
          other?.id === document.id &&
          other?.title === document.title &&
          other?.text === document.text &&
          Math.abs(other.score! - document.score!) < 1e-4 &&
          texts![i]!.text === `"${document.title!}"\n${document.text}`
        )
      })
      if (!close || ours!.length !== theirs!.length) {
        throw new Error(`${question.question}: ${JSON.stringify({ ours, theirs })}`)
      }
    }),
  )
  console.log(
    `${questions.length} queries: the same ${TOP} documents in the same order, from the index and both servers' shapes`,
  )
} finally {
  server.kill()
}
