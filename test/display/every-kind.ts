import { table } from 'arquero'
import { vi } from 'vitest'
import { foldingLog } from '../../src/display/folding-log.js'
import { trainingView } from '../../src/display/training-view.js'
import { toMimeBundle } from '../../src/display/mime-bundle.js'
import type { MimeBundle } from '../../src/display/bundle.js'
import { progressBar } from '../../src/display/progress.js'
import type { Trajectory, Turn } from '../../src/schema/trajectory.js'
import type { UpdateRecord } from '../../src/schema/update-record.js'

/** What a policy, a question and a document say. */
interface Parts {
  question: string
  thought: string
  query: string
  title: string
  text: string
  answer: string
}

export const trajectory = (parts: Parts): Trajectory => ({
  question: { id: 'q', dataset: 'd', question: parts.question, goldAnswers: [parts.answer] },
  turns: [
    {
      text: `<think> ${parts.thought}</think><search> ${parts.query}</search>`,
      action: { kind: 'search', query: parts.query },
      observation: { text: '', documents: [{ title: parts.title, text: parts.text, rank: 1 }], quality: 'useful' },
    },
    { text: `<answer> ${parts.answer}</answer>`, action: { kind: 'answer', answer: parts.answer } },
  ],
  ids: [],
  lossMask: [],
  logprobs: [],
  promptLength: 0,
  answer: parts.answer,
  stopReason: 'answer',
  searches: 1,
  seed: 0,
})

/** Bundles of every kind of output but pictures, each with the text wherever a text can be. */
export async function everyKind(text: string): Promise<Record<string, MimeBundle>> {
  const whole = trajectory({ question: text, thought: text, query: text, title: text, text, answer: text })
  const around = `${text}<think>${text}</think>${text}`
  const corrected: Turn = {
    text: around,
    action: { kind: 'invalid', cause: text },
    observation: { text, documents: [] },
  }
  const failed: Trajectory = {
    ...whole,
    turns: [corrected],
    stopReason: 'failed',
    failure: { boundary: 'search', message: text },
  }
  // A name such as `__proto__` is none for a column.
  const name = `column ${text}`
  const columns = (rows: number): object => ({
    [name]: Array(rows).fill(text),
    long: Array(rows).fill(text + 'x'.repeat(100)),
    deep: Array(rows).fill({ [name]: text }),
  })
  const frame = { columns: [name, 'n'], index: [text, 'b'] }
  const values: Record<string, unknown> = {
    trajectory: whole,
    'failed trajectory': failed,
    documents: [{ title: text, text, rank: 1 }],
    table: table(columns(1)),
    'long table': table(columns(100)),
    // By their shape, as the package sees them; display.test.ts shows those of Danfo itself.
    'data frame': {
      ...frame,
      $isSeries: false,
      values: [
        [text, 1],
        ['b', 2],
      ],
    },
    series: { ...frame, columns: [name], $isSeries: true, values: [text, 'b'] },
    'figure without a picture': { data: [{ type: `${text.replace(/\s/g, ' ')}3d` }], layout: { title: { text } } },
  }
  const bundles: Record<string, MimeBundle> = {}
  for (const [kind, value] of Object.entries(values)) bundles[kind] = await toMimeBundle(value)
  const shown = notebook()
  const bar = progressBar(3, { label: text, unit: text })
  bar.update(2)
  await bar.end()
  const log = foldingLog(text)
  log.write(text)
  await log.flush()
  vi.unstubAllGlobals()
  shown.forEach((bundle, i) => (bundles[`progress or log ${i}`] = bundle))
  return bundles
}

/** Bundles that hold a picture; drawing them takes a while. */
export async function pictures(): Promise<Record<string, MimeBundle>> {
  const record = { update: 1, reward: 0.25, em: 0.2, noiseThreshold: 0.1, searchesPerQuestion: 1, kl: 0.001 }
  const figure = { data: [{ type: 'bar', x: ['<b>'], y: [1] }], layout: { width: 200, height: 150 } }
  return {
    figure: await toMimeBundle(figure),
    training: await toMimeBundle(trainingView('train: 1/2 updates', 0.5, [record as UpdateRecord])),
  }
}

/** A notebook that notes what is shown. */
function notebook(): MimeBundle[] {
  const shown: MimeBundle[] = []
  vi.stubGlobal('Jupyter', { display: (bundle: MimeBundle) => Promise.resolve(void shown.push(bundle)) })
  return shown
}
