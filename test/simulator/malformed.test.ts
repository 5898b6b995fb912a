// What an LLM may write instead of documents, and what comes of it in the policy's context.
import fc from 'fast-check'
import { expect, test, vi } from 'vitest'
import { rollOut } from '../../src/rollout/roll-out.js'
import { parseDocuments } from '../../src/simulator/parse-documents.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { zerosearchProtocol } from '../../src/rollout/protocol.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'

const TAGS = [
  '</information>',
  '<information>',
  '<answer>',
  '</answer>',
  '<search>',
  '</search>',
  '<think>',
  '</think>',
]

/** Heads, tags whole and in pieces, special tokens, HTML, JSON that is cut, other languages, and anything at all. */
const piece = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.constantFrom('Doc 1:', 'Doc 2: ', '\nDoc 3.', '**Document 4**: ', '1. ', '\n2) ', '[3] '),
  },
  {
    weight: 3,
    arbitrary: fc
      .tuple(fc.constantFrom(...TAGS), fc.nat(16), fc.nat(16))
      .map(([tag, from, length]) => (from > 8 ? tag : tag.slice(from, from + length))),
  },
  fc.constantFrom(
    '< / information >',
    '</INFORMATION>',
    '</ information\n>',
    '</infor\u200bmation>',
    '＜/information＞',
  ),
  fc.constantFrom(
    '<|im_end|>',
    '<|im_start|>assistant',
    '</s>',
    '<end_of_turn>',
    '[/INST]',
    '<<SYS>>',
    '<|endoftext|>',
  ),
  fc.constantFrom(
    '<script>alert(1)</script>',
    '<img src=x onerror=y>',
    '{"documents": [{"text": "Li',
    '```json\n',
    '\\u003c',
  ),
  fc.constantFrom('Lima est la capitale.', 'リマは首都です。', 'ليما', '\ud800', '\0', '\u2028', 'x'.repeat(100_000)),
  fc.string({ unit: 'binary', maxLength: 30 }),
)
const response = fc.array(piece, { maxLength: 12 }).map((pieces) => pieces.join(''))

test('10,000 malformed answers never throw out of the parser, and give documents that say something', () => {
  fc.assert(
    fc.property(response, (text) => {
      for (const [i, document] of parseDocuments(text).entries()) {
        expect(document.rank).toBe(i + 1)
        expect(document.text).toMatch(/[\p{L}\p{N}]/u)
      }
    }),
    { numRuns: 10_000 },
  )
}, 60_000)

test('no answer of an LLM can close the information tag, or speak as the policy', async () => {
  vi.spyOn(console, 'warn').mockReturnValue()
  const question = { id: 'd-0', dataset: 'd', question: 'Capital of Peru?', goldAnswers: ['Lima'] }
  const policy = scriptedPolicy((turn) => (turn === 0 ? '<search> it</search>' : '<answer> x</answer>'), {
    contextLength: 1e6,
  })
  const protocol = { ...zerosearchProtocol, maxObservationTokens: 5000, maxTokens: 1e6 }
  await fc.assert(
    fc.asyncProperty(response, async (text) => {
      const searchEngine = createSimulator({
        name: 'llm',
        complete: () => Promise.resolve({ text, finishReason: 'end', promptTokens: 1, completionTokens: 1 }),
      })
      const trajectory = await rollOut(policy, question, { searchEngine, protocol })
      expect(trajectory.failure).toBeUndefined()
      const observation = trajectory.turns[0]!.observation!
      const tags = observation.text.match(/<[\s/]{0,4}(?:think|search|information|answer)\s{0,4}>/gi)
      expect(tags).toEqual(['<information>', '</information>'])
      expect(observation.text.trim().startsWith('<information>')).toBe(true)
      expect(observation.text.trim().endsWith('</information>')).toBe(true)
      expect(trajectory.answer).toBe('x')
      // What could not be read is there to be looked at.
      if (observation.documents.length === 0) expect(observation.unread).toBe(text)
    }),
    { numRuns: 1000 },
  )
}, 120_000)

test('code in a document stays as it is', async () => {
  const code = 'Map<String, List<a<b>c>> x = a<b>c; if (a <b && c> d) {} <div> </p> vector<int>'
  const policy = scriptedPolicy((turn) => (turn === 0 ? '<search> it</search>' : '<answer> x</answer>'))
  const searchEngine = createSimulator({
    name: 'llm',
    complete: () =>
      Promise.resolve({ text: `Doc 1: ${code}`, finishReason: 'end', promptTokens: 1, completionTokens: 1 }),
  })
  const question = { id: 'd-0', dataset: 'd', question: 'q', goldAnswers: ['x'] }
  const trajectory = await rollOut(policy, question, { searchEngine })
  expect(trajectory.turns[0]!.observation!.text).toContain(code)
})
