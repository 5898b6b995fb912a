// The command that trains as a file says: what it refuses, and runs that are interrupted or killed.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it } from 'vitest'
import { readFinetuneConfig, readRunConfig } from '../../src/cli/run-file.js'
import { readCommentedJson } from '../../src/file/commented-json.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { createRandom } from '../../src/random/seeded-random.js'
import type { FinetuneRecord } from '../../src/schema/finetune-record.js'
import { checkpointFolder } from '../model/fixtures.js'

const folder = mkdtempSync(join(tmpdir(), 'command-'))
afterAll(() => rmSync(folder, { recursive: true }))

const write = (name: string, text: string): string => {
  const path = join(folder, name)
  writeFileSync(path, text)
  return path
}

const examples = write(
  'examples.jsonl',
  Array.from({ length: 12 }, (_, i) => `{"prompt": "What is ${i}?", "completion": " It is ${i}."}\n`).join(''),
)

const sft = (saveTo: string, more: Record<string, unknown> = {}): string =>
  write(
    `${saveTo}.json`,
    JSON.stringify({
      algorithm: 'sft',
      model: checkpointFolder('qwen2'),
      examples,
      heldOut: 0.2,
      patience: 100,
      epochs: 20,
      batchSize: 4,
      learningRate: 1e-3,
      saveEvery: { steps: 1 },
      saveTo: join(folder, saveTo),
      ...more,
    }),
  )

interface Ended {
  code: number | null
  out: string
  faults: string
}

function command(args: string[]) {
  const node = ['--require', resolve('kernel/preload.cjs'), '--import', 'tsx', 'src/cli/main.ts', 'train', ...args]
  const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'pipe'] })
  const ended = new Promise<Ended>((done) => {
    let [out, faults] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (faults += chunk.toString()))
    child.once('close', (code) => done({ code, out, faults }))
  })
  return { child, ended }
}

/** Its files of weights and moments, and its records without what a clock says. */
function runIn(name: string) {
  const saved = join(folder, name)
  const lines = readFileSync(join(saved, 'metrics.jsonl'), 'utf8').trim().split('\n')
  return {
    state: [join('policy', 'model.safetensors'), 'optimizer.safetensors', 'best.safetensors'].map((file) =>
      readFileSync(join(saved, file)).toString('base64'),
    ),
    records: lines.map((line) => ({ ...(JSON.parse(line) as FinetuneRecord), seconds: 0 })),
  }
}

describe('zerosearch train', () => {
  it('ends with 0, also after it was interrupted (130) and killed: the run is the same, bit for bit', async () => {
    const straight = await command([sft('straight')]).ended
    expect(straight, straight.faults).toMatchObject({ code: 0 })
    expect(straight.out).toMatch(/step 60: loss .*, held out .*\ndone; saved in /)
    const expected = runIn('straight')
    expect(expected.records).toHaveLength(60)

    const config = sft('stopped')
    const metrics = join(folder, 'stopped', 'metrics.jsonl')
    const first = command([config])
    while (!existsSync(metrics)) await sleep(5)
    first.child.kill('SIGINT')
    const stopped = await first.ended
    expect(stopped, stopped.faults).toMatchObject({ code: 130 })
    expect(stopped.faults).toContain('goes on with it')
    expect(runIn('stopped').records.length).toBeLessThan(60)

    const random = createRandom(Date.now())
    let kills = 0
    for (; kills < 3; kills++) {
      const { child, ended } = command([config, '--resume'])
      const before = runIn('stopped').records.length
      const latest = (): number => {
        try {
          return runIn('stopped').records.length
        } catch {
          return before // Between two renames.
        }
      }
      while (child.exitCode === null && latest() === before) await sleep(5)
      await sleep(random() * 300)
      child.kill('SIGKILL')
      if ((await ended).code === 0) break
    }
    const last = await command([config, '--resume']).ended
    expect(last, last.faults).toMatchObject({ code: 0 })
    expect(runIn('stopped')).toEqual(expected)
  }, 240_000)

  it.each([
    ['{\n  "algorithm": "sft",\n  "epochs" 3\n}', "line 3, column 12: ':' expected."],
    ['[]', 'line 1, column 1: An object must be here.'],
    ['{"algorithm": "grop"}', "algorithm must be one of 'grpo', 'dr-grpo'"],
    ['{"algorithm": "sft", "epoch": 1}', 'there is no option epoch; did you mean epochs?'],
    ['{"algorithm": "grpo", "learningrate": 1}', 'there is no option learningrate; did you mean learningRate?'],
    [
      '{"algorithm": "grpo", "searchEngine": {"server": {"apiKey": "secret-1"}}}',
      'searchEngine.server.apiKey must not',
    ],
  ])('refuses %s with 1', async (text, message) => {
    const path = write('bad.json', text)
    const { code, faults } = await command([path]).ended
    expect({ code, faults }).toEqual({ code: 1, faults: expect.stringContaining(message) as string })
    expect(faults).toContain(path)
    expect(faults).not.toContain('secret-1')
    expect(faults).not.toContain('    at ')
  })
})

describe('a file in a cell', () => {
  const grpo = {
    algorithm: 'grpo',
    model: 'mini:policy',
    slots: 2,
    questions: ['mini-nq', 'mini-hotpotqa:validation'],
    protocol: 'mini',
    curriculum: 0.2,
    updates: 3,
  }

  it('gives the options of train', async () => {
    const bm25 = { kind: 'bm25', documents: 'mini:validation' }
    const path = write('grpo.json', `// comment\n${JSON.stringify({ ...grpo, searchEngine: bm25 }).slice(0, -1)},}`)
    const options = await readRunConfig(path)
    expect(options).toMatchObject({ algorithm: 'grpo', updates: 3, curriculum: 0.2, policy: { slots: 2 } })
    expect(options.protocol).toBe(miniProtocol)
    expect(Object.keys(options)).not.toContain('model')
    expect(new Set(options.questions.map(({ dataset }) => dataset))).toEqual(new Set(['mini-nq', 'mini-hotpotqa']))
    const question = options.questions.at(-1)!
    expect(await options.searchEngine.search(question.question, { question, topK: 2 })).toHaveLength(2)
    options.policy.dispose()
    await expect(readFinetuneConfig(path)).rejects.toThrow('algorithm is grpo; read it with readRunConfig')
  })

  it('names engines by their kind, with their options checked', async () => {
    const engine = async (searchEngine: object): Promise<string> => {
      const { policy, searchEngine: opened } = await readRunConfig(
        write('engine.json', JSON.stringify({ ...grpo, searchEngine })),
      )
      policy.dispose()
      return opened.name
    }
    const server = { model: 'm', baseUrl: 'http://127.0.0.1:9/v1' }
    expect(await engine({ kind: 'simulator', server, prompt: 'mini' })).toBe('simulator m')
    expect(await engine({ kind: 'search-r1', baseUrl: 'http://127.0.0.1:9' })).toBe('search-r1')
    expect(await engine({ kind: 'elasticsearch', baseUrl: 'http://127.0.0.1:9', index: 'a' })).toBe('elasticsearch')
    await expect(engine({ kind: 'bm26' })).rejects.toThrow("searchEngine: kind must be one of 'simulator', 'bm25'")
    await expect(engine({ kind: 'bm25', document: 'x' })).rejects.toThrow('did you mean documents?')
    await expect(engine({ kind: 'simulator' })).rejects.toThrow('searchEngine: model or server must be given')
    await expect(engine({ kind: 'wiki', baseURL: 'http://127.0.0.1:9' })).rejects.toThrow('did you mean baseUrl?')
  })

  it('is JSON with comments and trailing commas, and says where it is not', async () => {
    const path = write('some.json', '\uFEFF{ /* a */ "a": [1, 2,], // b\n "b": {"c": -1e-3,}, }')
    expect(await readCommentedJson(path, 'file')).toEqual({ a: [1, 2], b: { c: -1e-3 } })
    await expect(readCommentedJson(write('cut.json', '{"a": [1'), 'file')).rejects.toThrow('line 1, column 9')
    await expect(readCommentedJson(write('none.json', ''), 'file')).rejects.toThrow('An object must be here')
    await expect(readCommentedJson(join(folder, 'absent'), 'file')).rejects.toThrow('the file does not exist')
  })
})
