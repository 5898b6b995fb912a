// npx tsx test/bench/llama.ts MODEL.gguf PYTHON [rounds, default 5]: one conversation of the same GGUF file here and in
// llama.cpp, all cores on both sides, in turns. PYTHON has llama-cpp-python. SmolLM2 of `loadModel('smollm2')` lies in
// ~/.cache/zerosearch/models. llama.cpp computes with the file's own 4-bit blocks; here they are float32 or bfloat16. Only a
// quiet machine says anything: llama.cpp's threads wait for one another in loops, and starve beside other work.
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpus, loadavg } from 'node:os'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { loadModel } from '../../src/language-model/local-model.js'
import type { LocalModel } from '../../src/language-model/local-model.js'

const [file, python, rounds = '5'] = process.argv.slice(2)
if (file === undefined || python === undefined) throw new Error('llama: name a GGUF file and a Python')
const PROMPT = 128
const TOKENS = 64

interface Times {
  prefill: number
  decode: number
}
type Side = () => Promise<Times>

function llama(): Side {
  const script = fileURLToPath(new URL('./measure_llama.py', import.meta.url))
  const args = [script, file!, String(cpus().length), String(PROMPT), String(TOKENS)]
  const child = spawn(python!, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  child.on('exit', (code) => process.exit(code ?? 1))
  const lines = createInterface({ input: child.stdout })
  return async () => {
    const answer = once(lines, 'line') as Promise<[string]>
    child.stdin.write('\n')
    return JSON.parse((await answer)[0]) as Times
  }
}

const ids = Array.from({ length: PROMPT }, (_, i) => 10 + ((i * 7919) % 2000))
const own =
  (model: LocalModel): Side =>
  async () => {
    const conversation = await model.start({ temperature: 0, topP: 1, topK: 0 }, 0)
    const started = performance.now()
    await conversation.nextLogprobs!(ids.slice(0, -1))
    const read = performance.now()
    let next = ids.slice(-1)
    for (let left = TOKENS; left > 0; next = [11])
      left -= (await conversation.generate(next, { maxTokens: left, stop: [] })).ids.length
    const ended = performance.now()
    conversation.end()
    return { prefill: (read - started) / 1000, decode: (ended - read) / 1000 }
  }

const sides: Record<string, Side> = { 'llama.cpp': llama() }
for (const decodingDtype of ['float32', 'bfloat16'] as const) {
  sides[`here, ${decodingDtype}`] = own(await loadModel(file, { slots: 1, contextLength: 1024, decodingDtype }))
}
const all = Object.entries(sides).map(([name, side]) => ({ name, side, times: [] as Times[] }))
for (let round = 0; round <= Number(rounds); round++) {
  for (const { side, times } of all) {
    const measured = await side()
    // The first round traces and warms up.
    if (round > 0) times.push(measured)
  }
}
const median = (values: number[]): number => values.sort((a, b) => a - b)[Math.floor(values.length / 2)]!
const speed = (times: Times[], of: keyof Times): number =>
  (of === 'prefill' ? PROMPT - 1 : TOKENS) / median(times.map((one) => one[of]))
console.log(`load ${loadavg()[0]!.toFixed(1)}, medians of ${rounds} rounds in turns`)
console.log(`| side | prompt of ${PROMPT} | ratio | ${TOKENS} tokens | ratio |\n|---|---|---|---|---|`)
for (const { name, times } of all) {
  const cells = (['prefill', 'decode'] as const).flatMap((of) => {
    const ratio = speed(times, of) / speed(all[0]!.times, of)
    return [`${speed(times, of).toFixed(1)} tokens/s`, `${ratio.toFixed(2)}×`]
  })
  console.log(`| ${[name, ...cells].join(' | ')} |`)
}
process.exit(0)
