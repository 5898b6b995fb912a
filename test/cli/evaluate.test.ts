// The command that evaluates as a file says: interrupted and killed, it goes on; what it refuses; what its file may name.
import { spawn } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, describe, expect, it, vi } from 'vitest'
import { readEvaluationConfig } from '../../src/cli/evaluation-file.js'
import { evaluate } from '../../src/evaluation/evaluate.js'
import type { EvaluateOptions } from '../../src/evaluation/evaluate-options.js'
import { readScores } from '../../src/evaluation/results-file.js'
import type { Question } from '../../src/schema/question.js'
import { startServer } from '../http/stand-in.js'
import { completionOf } from '../language-model/open-ai-answers.js'

const folder = mkdtempSync(join(tmpdir(), 'evaluate-'))
afterAll(() => rmSync(folder, { recursive: true }))

const write = (name: string, value: unknown): string => {
  const path = join(folder, name)
  writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value))
  return path
}

const server = await startServer(async (received) => {
  await sleep(60)
  return completionOf(received, '<answer> Lima</answer>')
})

function command(...args: string[]) {
  const node = ['--require', resolve('kernel/preload.cjs'), '--import', 'tsx', 'src/cli/main.ts', 'evaluate', ...args]
  const env = { ...process.env, OPENAI_API_KEY: 'secret-key-1' }
  const child = spawn(process.execPath, node, { stdio: ['ignore', 'pipe', 'pipe'], env })
  const ended = new Promise<{ code: number | null; out: string; faults: string }>((done) => {
    let [out, faults] = ['', '']
    child.stdout.on('data', (chunk: Buffer) => (out += chunk.toString()))
    child.stderr.on('data', (chunk: Buffer) => (faults += chunk.toString()))
    child.once('close', (code) => done({ code, out, faults }))
  })
  return { child, ended }
}

const questions = Array.from({ length: 40 }, (_, n): Question => {
  return { id: `q${n}`, dataset: 'capitals', question: `Capital ${n}?`, goldAnswers: [n % 2 === 0 ? 'Lima' : 'Quito'] }
})
const questionFile = write('questions.jsonl', questions.map((one) => JSON.stringify(one)).join('\n'))

const linesIn = (results: string): number => {
  const path = join(results, 'scores.jsonl')
  return existsSync(path) ? readFileSync(path, 'utf8').split('\n').length - 1 : 0
}

describe('zerosearch evaluate', () => {
  it('ends with 0, also after it was interrupted (130) and killed, and asks nothing twice but what was in flight', async () => {
    const results = join(folder, 'results')
    const config = write('config.json', {
      models: { served: { server: { model: 'm', baseUrl: `${server.url}/v1` } } },
      questions: questionFile,
      methods: [{ method: 'direct', model: 'served' }],
      concurrency: 2,
      saveTo: results,
    })
    const first = command(config)
    while (linesIn(results) < 4) await sleep(5)
    first.child.kill('SIGINT')
    expect(await first.ended).toMatchObject({
      code: 130,
      faults: expect.stringContaining('--resume goes on with it') as string,
    })
    expect(existsSync(join(results, 'scores.parquet'))).toBe(true)
    const second = command(config, '--resume')
    const before = linesIn(results)
    expect(before).toBeGreaterThanOrEqual(4)
    while (linesIn(results) < before + 4) await sleep(5)
    second.child.kill('SIGKILL')
    await second.ended
    const last = await command(config, '--resume').ended
    expect(last, last.faults).toMatchObject({ code: 0 })
    expect(last.out).toMatch(/direct +capitals +40 +1\.0000 +0\.5000 .*\ndone; saved in /s)
    expect((await readScores(results)).map(({ questionId }) => questionId)).toEqual(questions.map(({ id }) => id))
    expect(server.received.length).toBeLessThanOrEqual(40 + 4)
    expect(readFileSync(join(results, 'evaluation.json'), 'utf8')).not.toContain('secret-key-1')
  }, 120_000)
})

describe('a file in a cell', () => {
  const mini = {
    models: {
      policy: { model: 'mini:policy', slots: 4 },
      server: { server: { model: 'm', baseUrl: `${server.url}/v1` } },
    },
    searchEngines: {
      bm25: { kind: 'bm25', documents: 'mini:test' },
      simulator: { kind: 'simulator', model: 'policy', prompt: 'mini' },
    },
    questions: ['mini-nq', 'mini-popqa:validation'],
    subset: { perSet: 1 },
    methods: [
      { method: 'policy', model: 'policy', searchEngine: 'bm25', protocol: 'mini', name: 'trained' },
      { method: 'rag', model: 'policy', searchEngine: 'bm25', protocol: 'mini', prompts: 'mini', topK: 3 },
      { method: 'direct', model: 'policy', protocol: 'mini', prompts: 'mini' },
      { method: 'zerosearch', model: 'policy', searchEngine: 'simulator', protocol: 'mini' },
    ],
  }
  const disposeOf = ({ methods }: EvaluateOptions): void =>
    (methods[1]!.settings!['model'] as { dispose(): void }).dispose()

  it('gives the options of evaluate: what its own models answer is what the same methods answer by hand', async () => {
    const path = write('mini.json', `// comment\n${JSON.stringify(mini).slice(0, -1)},}`)
    const options = await readEvaluationConfig(path)
    expect(options.methods.map(({ name }) => name)).toEqual(['trained', 'rag', 'direct', 'zerosearch'])
    expect(options.questions).toHaveLength(2)
    const [trained, rag] = options.methods
    // One model and one engine, however many methods have them.
    expect(trained!.settings!['policy']).toBe(rag!.settings!['model'])
    expect(trained!.settings!['searchEngine']).toBe(rag!.settings!['searchEngine'])
    const saveTo = join(folder, 'mini')
    const scores = await evaluate({ ...options, saveTo })
    expect(scores).toHaveLength(8)
    expect(scores.filter(({ failure }) => failure !== undefined)).toEqual([])
    const { manifest } = JSON.parse(readFileSync(join(saveTo, 'evaluation.json'), 'utf8')) as {
      manifest: { methods: Record<string, { settings: { policy: object } }> }
    }
    expect(manifest.methods['trained']!.settings.policy).toEqual({
      model: 'policy',
      weights: expect.stringMatching(/^[0-9a-f]{12}$/) as string,
    })
    // Nothing is asked again, also by methods that were made anew.
    const onTrajectory = vi.fn()
    disposeOf(options)
    const again = await readEvaluationConfig(path)
    expect(await evaluate({ ...again, saveTo, resume: true, onTrajectory })).toEqual(scores)
    expect(onTrajectory).not.toHaveBeenCalled()
    disposeOf(again)
  })

  it.each([
    ['{"methods": [], "questions": "mini-nq"}', 'methods must have a length of at least 1'],
    ['{"method": [], "questions": "mini-nq"}', 'there is no option method; did you mean methods?'],
    [{ ...mini, methods: [{ method: 'ragg', model: 'policy' }] }, "methods.0: method must be one of 'direct', 'cot'"],
    [{ ...mini, methods: [{ method: 'rag' }] }, 'methods.0: model must be a text'],
    [
      {
        ...mini,
        models: { away: { server: { model: 'm', baseUrl: 'localhost:1' } } },
        methods: [{ method: 'cot', model: 'away' }],
      },
      'models.away: openAi: baseUrl must be an address',
    ],
    [
      { ...mini, models: { good: 'mini:policy' }, methods: [{ method: 'cot', model: './god' }] },
      './god is none of models (good), and not to be had by its name',
    ],
    [{ ...mini, questions: ['mini-nq', 'nowhere.jsonl'] }, 'nowhere.jsonl: the file does not exist'],
    [
      { ...mini, methods: [{ method: 'rag', model: 'server', searchEngine: 'bm26' }] },
      'there is no search engine bm26 in searchEngines, which has bm25, simulator',
    ],
    [
      { ...mini, methods: [{ method: 'rag', model: 'server', searchEngine: 'bm25', topk: 3 }] },
      'methods.0: rag method: there is no option topk; did you mean topK?',
    ],
    [
      { ...mini, methods: [{ method: 'rag', model: 'server' }] },
      'methods.0: rag method: searchEngine must be a search engine',
    ],
    [
      { ...mini, methods: [{ method: 'policy', model: 'server', searchEngine: 'bm25' }] },
      'methods.0: method policy must have a model in this process, got server, a server',
    ],
    [
      { ...mini, models: { server: { server: { model: 'm', apiKey: 'secret-2' } } } },
      'models.server.server.apiKey must not be',
    ],
    [{ ...mini, models: { server: {} } }, 'models.server.model or server must be given'],
    ['{"questions": 3}', 'questions must be a text, or a list'],
    ['{', 'line 1, column 2'],
  ])('refuses %j', async (config, rule) => {
    const path = write('bad.json', config)
    const error = await readEvaluationConfig(path).catch((fault: unknown) => fault as Error)
    expect((error as Error).message).toContain(rule)
    expect((error as Error).message).not.toContain('secret-2')
  })
})
