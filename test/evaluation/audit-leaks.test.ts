import { describe, expect, it } from 'vitest'
import { auditLeaks } from '../../src/evaluation/audit-leaks.js'
import type { LanguageModel } from '../../src/language-model/language-model.js'
import { miniProtocol } from '../../src/mini/protocol.js'
import { leaks } from '../../src/plot/leaks.js'
import { rollOutMany } from '../../src/rollout/roll-out.js'
import type { Question } from '../../src/schema/question.js'
import type { SearchEngine } from '../../src/search/search-engine.js'
import { simulatorPrompt } from '../../src/simulator/prompts.js'
import { createSimulator } from '../../src/simulator/simulator.js'
import { leakTable } from '../../src/table/leak-table.js'
import { scriptedPolicy } from '../rollout/scripted-policy.js'

const question = (name: string, gold: string): Question => ({
  id: name,
  dataset: 'd',
  question: `capital of ${name}?`,
  goldAnswers: [gold],
})
/** The LLM knows of one country itself; of others it writes what its prompt tells. */
const writer: LanguageModel = {
  name: 'writer',
  complete(prompt) {
    const text = (prompt as readonly { content: string }[])[0]!.content
    const told = text.includes('Peru') ? 'Lima' : (/Answer: (\w+)/.exec(text)?.[1] ?? 'unknown to us')
    return Promise.resolve({ text: `Doc 1: It is ${told}.`, finishReason: 'end', promptTokens: 1, completionTokens: 1 })
  },
}
const simulator = createSimulator(writer)
const withheld = createSimulator(writer, { prompt: simulatorPrompt({ told: 'question' }) })
/** Answers Kenya from memory, and else what the document says. */
const policy = scriptedPolicy((turn, heard) => {
  if (turn === 0) return '<search> capital</search>'
  if (heard.includes('Kenya')) return '<answer> Nairobi</answer>'
  if (heard.includes('Chad')) return '<answer> Paris</answer>'
  return `<answer> ${/It is (\w+)/.exec(heard)![1]}</answer>`
})
const questions = [
  question('Peru', 'Lima'),
  question('Mali', 'Bamako'),
  question('Kenya', 'Nairobi'),
  question('Chad', 'Ndjamena'),
]
const items = questions.map((question, seed) => ({ question, seed }))
const play = (searchEngine: SearchEngine) =>
  rollOutMany(policy, items, { searchEngine, protocol: miniProtocol, progress: false })

describe('auditLeaks', () => {
  it('tells what leaked from what is found without the gold answer, by hand', async () => {
    const audit = await auditLeaks(await play(simulator), { without: withheld, progress: false })
    expect(audit.trajectories.map(({ answer, reward, verdict }) => [answer, reward, verdict])).toEqual([
      ['Lima', 1, 'supported'],
      ['Bamako', 1, 'leaked'],
      // Known from memory or not: a document told it, and only because its prompt did.
      ['Nairobi', 1, 'leaked'],
      ['Paris', 0, 'unrewarded'],
    ])
    expect(audit).toMatchObject({
      ...{ without: ['simulator writer'], samples: 4, reward: 0.75, rewardWithoutLeaked: 0.25 },
      leaked: { count: 2, of: 4, share: 0.5 },
      leakedOfRewarded: { count: 2, of: 3 },
    })
    expect(audit.trajectories[1]).toMatchObject({
      query: 'capital',
      document: 'It is Bamako.',
      counterfactualDocuments: 4,
    })
    // Found at the first of four draws.
    expect(audit.trajectories[0]!.counterfactualDocuments).toBe(1)
  })

  it('an answer that no document told owes nothing to them', async () => {
    const audit = await auditLeaks(await play(withheld), { without: withheld, progress: false })
    expect(audit.trajectories.map(({ verdict }) => verdict)).toEqual([
      'supported',
      'unrewarded',
      'untold',
      'unrewarded',
    ])
    expect(audit.rewardWithoutLeaked).toBe(audit.reward)
  })

  it('any of several engines supports an answer; each is asked as the search was', async () => {
    const contexts: unknown[] = []
    const library: SearchEngine = {
      name: 'library',
      search(query, { seed, quality, question, topK }) {
        contexts.push({ query, seed, quality, id: question.id, topK })
        return Promise.resolve([{ title: question.id === 'Mali' ? 'Bamako' : 'Atlas', text: 'A town.', rank: 1 }])
      },
    }
    const asked: unknown[] = []
    const watched: SearchEngine = {
      name: 'watched',
      search(query, context) {
        asked.push({ query, seed: context.seed, quality: context.quality, id: context.question.id, topK: 5 })
        return simulator.search(query, context)
      },
    }
    const trajectories = await rollOutMany(policy, items.slice(1, 2), {
      ...{ searchEngine: watched, protocol: miniProtocol, progress: false, quality: () => 'useful' },
    })
    const audit = await auditLeaks(trajectories, { without: [withheld, library], samples: 2, progress: false })
    expect(audit.trajectories[0]).toMatchObject({ verdict: 'supported', counterfactualDocuments: 3 })
    expect(contexts).toEqual(asked)
  })

  it('failures are neither leaks nor rewards', async () => {
    const broken: SearchEngine = { name: 'broken', search: () => Promise.reject(new Error('HTTP 500')) }
    const [peru] = await play(simulator)
    const failed = await play(broken)
    const audit = await auditLeaks([peru!, failed[0]!], { without: broken, progress: false })
    expect(audit.trajectories.map(({ verdict, failure }) => [verdict, failure])).toEqual([
      ['failed', 'counterfactual search: HTTP 500'],
      ['failed', 'search: HTTP 500'],
    ])
    expect(audit).toMatchObject({ leaked: { of: 0, share: null }, reward: null })
  })

  it('takes any reward, and checks its options', async () => {
    const trajectories = await play(simulator)
    const audit = await auditLeaks(trajectories, { without: withheld, reward: () => 2, progress: false })
    expect(audit.reward).toBe(2)
    expect(audit.trajectories[3]!.verdict).toBe('untold')
    await expect(auditLeaks(trajectories, {} as never)).rejects.toThrow(
      'audit leaks: without must be a search engine, or a list',
    )
    await expect(auditLeaks([], { without: withheld })).rejects.toThrow('trajectories must have a length of at least 1')
  })

  it('the table has a row for each trajectory, the figure parts that sum up to the reward', async () => {
    const audit = await auditLeaks(await play(simulator), { without: withheld, progress: false })
    expect(leakTable(audit).objects()[1]).toMatchObject({
      questionId: 'Mali',
      verdict: 'leaked',
      document: 'It is Bamako.',
    })
    expect(leaks({ scripted: audit }).data.map(({ x }) => x)).toEqual([[0.25], [0], [0.5]])
    expect(() => leaks({})).toThrow('there must be at least one audit')
  })
})
