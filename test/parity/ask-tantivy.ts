// Our client of Elasticsearch asks tantivy (`serve-tantivy.py`), 64 queries at once, and gets what our own index
// gives: `npx tsx test/parity/ask-tantivy.ts <python with tantivy>`.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import * as zs from '../../src/index.js'

const CORPUS = 'data/mini/documents-validation.jsonl'
const ASKED = 200
const TOP = 5
const K1 = 1.2
/** tantivy keeps the factor of Robertson's formula that Lucene dropped and that changes no order. */
const FACTOR = K1 + 1

const server = spawn(process.argv[2] ?? 'python3', [join(import.meta.dirname, 'serve-tantivy.py'), CORPUS], {
  stdio: ['ignore', 'pipe', 'inherit'],
})
try {
  const [said] = (await once(server.stdout, 'data')) as [Buffer]
  const own = await zs.createBm25Engine(await zs.readDocuments(CORPUS), { k1: K1, b: 0.75 })
  const served = zs.elasticsearchEngine({ baseUrl: said.toString().trim(), index: 'wiki', concurrency: 64 })
  const questions = (await zs.mini.questions('mini-nq', 'validation')).slice(0, ASKED)
  await Promise.all(
    questions.map(async (question) => {
      const context = { question, topK: TOP }
      const [ours, theirs] = await Promise.all([own, served].map((engine) => engine.search(question.question, context)))
      const right = ours!.every(({ id, title, text, score }, i) => {
        const other = theirs![i]
        const near = Math.abs((other?.score ?? 0) / FACTOR / score! - 1) < 1e-4
        return near && other?.id === id && other?.title === title && other?.text === text
      })
      if (!right || ours!.length !== theirs!.length) {
        throw new Error(`${question.question}: ${JSON.stringify({ ours, theirs })}`)
      }
    }),
  )
  console.log(
    `${questions.length} queries: the same ${TOP} documents with the same scores in the same order as from our own index`,
  )
} finally {
  server.kill()
}
