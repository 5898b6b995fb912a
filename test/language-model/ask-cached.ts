// A process that asks through a cache, for tests with several of them: node ask-cached.ts <folder> <who> <requests>
import { cached } from '../../src/language-model/cached.js'

const [folder, who, requests] = process.argv.slice(2)
const model = cached(
  {
    name: 'm',
    complete: (prompt) =>
      Promise.resolve({
        text: `${who}: ${prompt as string}`,
        finishReason: 'end',
        promptTokens: 1,
        completionTokens: 1,
      }),
  },
  { folder: folder! },
)
const texts: string[] = []
for (let i = 0; i < Number(requests); i++) texts.push((await model.complete(`prompt ${i}`)).text)
await model.close()
console.log(JSON.stringify(texts))
