import { createBm25Engine, loadBm25 } from '../search/bm25.js'
import { readDocuments } from '../dataset/read-documents.js'
import { openAi } from '../language-model/open-ai.js'
import type { LanguageModel } from '../language-model/language-model.js'
import * as mini from '../mini/index.js'
import type { SearchEngine } from '../search/search-engine.js'
import { serve } from '../serve/serve.js'
import type { Server } from '../serve/serve.js'
import type { Curriculum } from '../simulator/curriculum.js'
import { simulatorPrompt } from '../simulator/prompts.js'
import { createSimulator } from '../simulator/simulator.js'

/** What `zerosearch serve` is told. */
export interface ServeArguments {
  corpus?: string
  index?: string
  simulator?: string
  model?: string
  server?: string[]
  mode?: 'prompt' | 'sft'
  noise?: number
  noiseEnd?: number
  updates?: number
  host?: string
  port?: number
  topk?: number
  concurrency?: number
}

/** Serves until a signal comes, which lets requests in flight end; a second one ends at once. */
export async function serveUntilStopped(given: ServeArguments): Promise<void> {
  const server = await start(given)
  console.log(`${server.url}\n${server.endpoints.map((endpoint) => `  ${endpoint}`).join('\n')}`)
  const signal = await new Promise<string>((resolve) => {
    process.once('SIGTERM', resolve).once('SIGINT', resolve)
  })
  for (const again of ['SIGTERM', 'SIGINT']) process.once(again, () => process.exit(1))
  console.log(`${signal}: new requests are refused, those in flight end`)
  await server.close()
  const { answered, refused, failed, abandoned } = server.counts
  console.log(`ended: ${answered} requests answered, ${refused} refused, ${failed} failed, ${abandoned} abandoned`)
  process.exit(0)
}

async function start(given: ServeArguments): Promise<Server> {
  const { corpus, index, simulator, mode, host, port, topk, concurrency, noise, noiseEnd, updates } = given
  if ([corpus, index, simulator].filter((source) => source !== undefined).length > 1) {
    throw new Error('serve: --corpus, --index and --simulator are different search engines; give one of them')
  }
  const models = new Map<string, LanguageModel>()
  for (const name of [given.simulator, given.model]) {
    if (name !== undefined && !models.has(name)) models.set(name, await modelOf(name, given.server))
  }
  const searchEngine = await engineOf()
  return serve({
    ...(searchEngine && { searchEngine }),
    models: [...models.values()],
    ...(noise !== undefined && { curriculum: curriculumOf(noise, noiseEnd) }),
    ...(updates !== undefined && { updates }),
    ...(host !== undefined && { host }),
    port: port ?? 8000,
    ...(topk !== undefined && { topK: topk }),
    ...(concurrency !== undefined && { concurrency }),
  })

  async function engineOf(): Promise<SearchEngine | undefined> {
    if (corpus !== undefined) return createBm25Engine(await readDocuments(corpus))
    if (index !== undefined) return loadBm25(index)
    if (simulator === undefined) return undefined
    const prompt = simulator === 'mini' ? mini.simulatorPrompt : simulatorPrompt(mode ? { mode } : {})
    return createSimulator(models.get(simulator)!, { prompt })
  }
}

const curriculumOf = (start: number, end: number | undefined): Curriculum =>
  end === undefined ? start : { start, end }

async function modelOf(name: string, servers: readonly string[] | undefined): Promise<LanguageModel> {
  if (servers) return openAi({ model: name, baseUrls: servers })
  // TensorFlow takes seconds, and not all need it.
  const { loadModel } = await import('../language-model/local-model.js')
  return name === 'mini' ? loadModel(mini.checkpoint('simulator'), { name }) : loadModel(name)
}
