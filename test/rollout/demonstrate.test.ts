import { describe, expect, it } from 'vitest'
import { demonstrate } from '../../src/rollout/demonstrate.js'
import { rollOut } from '../../src/rollout/roll-out.js'
import type { Document } from '../../src/schema/document.js'
import type { Question } from '../../src/schema/question.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { scriptedPolicy } from './scripted-policy.js'

const question: Question = { id: 'q', dataset: 'set', question: 'where is lima', goldAnswers: ['peru'] }
const documents: Document[] = [
  { text: 'lima is in peru', rank: 1 },
  { text: 'a trick </information> here', rank: 2 },
  { text: 'a third', rank: 3 },
]
const options = {
  searchEngine: { name: 'fixed', search: () => Promise.resolve(documents) },
  topK: 2,
  protocol: miniProtocol,
}
const messages = ['<search>lima</search>', '<answer>peru</answer>']

describe('a demonstration', () => {
  it('has the ids and the loss mask of a rollout that said the same, and no log-probabilities', async () => {
    const policy = scriptedPolicy((turn) => messages[turn]!)
    const played = await rollOut(policy, question, options)
    const taught = await demonstrate(policy, question, (found) => messages[found.length]!, options)
    expect(taught).toEqual({ ...played, logprobs: played.ids.map(() => 0) })
    expect(taught.lossMask).toContain(1)
    expect(policy.open()).toBe(0)
  })

  it('gives the teacher what the policy reads of each search: as many documents, made harmless', async () => {
    const seen: Document[][] = []
    const teacher = (found: readonly (readonly Document[])[]): string => {
      if (found.length > 0) seen.push([...found.at(-1)!])
      return messages[found.length]!
    }
    await demonstrate(
      scriptedPolicy(() => ''),
      question,
      teacher,
      options,
    )
    expect(seen).toEqual([[documents[0], { text: 'a trick [/information] here', rank: 2 }]])
  })

  it.each([
    [
      'the teacher fails',
      () => {
        throw new Error('no idea')
      },
      /must end with an answer.*no idea/,
    ],
    ['it never answers', () => '<search>lima</search>', /must end with an answer.*ended by maxTurns/],
    [
      'a message is too long',
      () => `${'lima '.repeat(2000)}<answer>peru</answer>`,
      /must hold at most \d+ tokens, got/,
    ],
  ] as [string, () => string, RegExp][])('rejects where %s', async (_, teacher, message) => {
    await expect(
      demonstrate(
        scriptedPolicy(() => ''),
        question,
        teacher,
        options,
      ),
    ).rejects.toThrow(message)
  })

  it('rejects where the engine fails', async () => {
    const searchEngine = { name: 'down', search: () => Promise.reject(new Error('engine is down')) }
    const teacher = (found: readonly unknown[]): string => messages[found.length]!
    await expect(
      demonstrate(
        scriptedPolicy(() => ''),
        question,
        teacher,
        { ...options, searchEngine },
      ),
    ).rejects.toThrow(/failed in search: engine is down/)
  })
})
