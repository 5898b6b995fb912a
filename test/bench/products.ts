// Products of few rows, which decide decoding: GFLOP/s by number of rows, how weights are stored and in what type, in plain
// functions (oneDNN, Eigen) and compiled by XLA; and whether a row's result stays the same, bit for bit, whatever the number
// of rows. A call goes through the feed-forward products of several layers, so that weights come from memory, not a cache.
// Run: npx tsx test/bench/products.ts [rounds, default 20]
import { loadavg } from 'node:os'
import { uploadWeight } from '../../src/model/weights.js'
import { createRandom } from '../../src/random/seeded-random.js'
import { compile } from '../../src/tensor/compile.js'
import type { Compiled, NoInputs } from '../../src/tensor/compile.js'
import { float32 } from '../../src/tensor/host-tensor.js'
import type { HostTensor } from '../../src/tensor/host-tensor.js'
import { tf } from '../../src/tensor/runtime.js'
import { Variable } from '../../src/tensor/variable.js'

const rounds = Number(process.argv[2] ?? 20)
const ROWS = [1, 2, 8, 16, 32, 64, 256]
/** Hidden size, that of the feed-forward part, and so many layers that their weights are above 64 MB in bfloat16. */
const SHAPES = {
  'SmolLM2-135M': { hidden: 576, intermediate: 1536, layers: 24 },
  'Qwen2.5-0.5B': { hidden: 896, intermediate: 4864, layers: 6 },
}

type Layout = '[out, in]' | '[in, out]'
interface Way {
  layout: Layout
  dtype: 'float32' | 'bfloat16'
  xla: boolean
}
const WAYS: Way[] = (['[out, in]', '[in, out]'] as const).flatMap((layout) => [
  { layout, dtype: 'float32', xla: false },
  { layout, dtype: 'float32', xla: true },
  { layout, dtype: 'bfloat16', xla: false },
])

interface Layers {
  up: Variable[]
  down: Variable[]
}
type Run = Compiled<{ x: HostTensor }, Layers, { y: ReturnType<typeof tf.zeros> }>

/** All layers of one way. */
function products({ layout, dtype, xla }: Way): Run {
  const transposed = layout === '[out, in]'
  const body = ({ x }: { x: ReturnType<typeof tf.zeros> }, { up, down }: Layers) => {
    let y = x
    up.forEach((weight, i) => {
      const wide = tf.matMul(y, weight.read(), false, transposed)
      y = tf.matMul(wide, down[i]!.read(), false, transposed)
    })
    return { y }
  }
  return compile(`products ${layout} ${dtype}`, body, { xla, bfloat16: dtype === 'bfloat16' })
}

const toBfloat16 = compile('to bfloat16', (_: NoInputs, state: { from: Variable; to: Variable }) => {
  state.to.assign(state.from.read())
  return {}
})

const random = createRandom(1)
async function weight(shape: [number, number], dtype: Way['dtype']): Promise<Variable> {
  const scale = 2 / Math.sqrt(Math.max(...shape))
  const data = Float32Array.from({ length: shape[0] * shape[1] }, () => (random() - 0.5) * scale)
  const from = await uploadWeight('weight', shape, data)
  if (dtype === 'float32') return from
  const to = new Variable(shape, dtype, 'weight')
  await toBfloat16({}, { from, to })
  from.dispose()
  return to
}

const cell = (text: string | number): string => String(text).padStart(16)
console.log(
  `load ${loadavg()[0]!.toFixed(1)}; GFLOP/s (GB/s of weights) of the best round, = where a row has the bits it has among 2`,
)
for (const [name, { hidden, intermediate, layers }] of Object.entries(SHAPES)) {
  console.log(`\n${name}: [rows, ${hidden}] × ${intermediate} and back`)
  console.log([cell('stored'), cell('type'), cell('by'), ...ROWS.map((rows) => cell(`${rows} rows`))].join(''))
  const x = Float32Array.from({ length: ROWS[ROWS.length - 1]! * hidden }, (_, i) => Math.sin(i * 0.37))
  const inputs = (rows: number) => ({ x: float32(x.slice(0, rows * hidden), [rows, hidden]) })
  const runs = await Promise.all(WAYS.map(async (way) => ({ way, run: products(way), state: await layersOf(way) })))

  async function layersOf({ layout, dtype }: Way): Promise<Layers> {
    const shape = (from: number, to: number): [number, number] => (layout === '[in, out]' ? [from, to] : [to, from])
    const all: Layers = { up: [], down: [] }
    for (let i = 0; i < layers; i++) {
      all.up.push(await weight(shape(hidden, intermediate), dtype))
      all.down.push(await weight(shape(intermediate, hidden), dtype))
    }
    return all
  }

  // Ways take turns, so that the load of the machine falls on all of them.
  const cells = runs.map((): string[] => [])
  const wanted = await Promise.all(runs.map(({ run, state }) => bits(run, state, 2)))
  async function bits(run: Run, state: Layers, rows: number): Promise<string> {
    return String((await run(inputs(rows), state)).y.data.slice(0, hidden))
  }
  for (const rows of ROWS) {
    const best = runs.map(() => Infinity)
    for (let round = 0; round < rounds; round++) {
      for (const [i, { run, state }] of runs.entries()) {
        const started = performance.now()
        await run(inputs(rows), state)
        best[i] = Math.min(best[i]!, (performance.now() - started) / 1000)
      }
    }
    for (const [i, { way, run, state }] of runs.entries()) {
      const weights = 2 * layers * hidden * intermediate
      const bytes = weights * (way.dtype === 'float32' ? 4 : 2)
      const same = (await bits(run, state, rows)) === wanted[i]
      const [flops, read] = [(2 * rows * weights) / best[i]! / 1e9, bytes / best[i]! / 1e9]
      cells[i]!.push(`${flops.toFixed(0)} (${read.toFixed(0)}) ${same ? '=' : '≠'}`)
    }
  }
  for (const [i, { way, run, state }] of runs.entries()) {
    console.log([way.layout, way.dtype, way.xla ? 'XLA' : 'graph', ...cells[i]!].map(cell).join(''))
    for (const variable of [...state.up, ...state.down]) variable.dispose()
    run.dispose()
  }
}
process.exit(0)
