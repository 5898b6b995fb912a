import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { rolloutMicrobatches } from '../../src/train/microbatch.js'
import { rolloutRows } from '../../src/train/rows.js'
import type { Sequence } from '../../src/train/rows.js'
import { tinyConfig } from '../tiny-model.js'

/** Rollouts of some prompts, each id of a kind of its own. */
const rollouts = fc
  .array(
    fc.record({
      prompt: fc.integer({ min: 1, max: 40 }),
      lengths: fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }),
    }),
    { minLength: 1, maxLength: 5 },
  )
  .map((groups) =>
    groups.flatMap(({ prompt, lengths }, group) =>
      lengths.map((length, i): Sequence => {
        const own = Array.from({ length }, (_, place) => 1 + ((place + 7 * i) % 90))
        return {
          ids: [...new Array<number>(prompt).fill(1000 + group), ...own],
          trained: own.map((_, place) => prompt + place).filter((_, place) => place % 3 === 0),
        }
      }),
    ),
  )

describe('rows of rollouts', () => {
  it('hold each sequence once, with the prompt that is theirs, and are no longer than a microbatch', () => {
    fc.assert(
      fc.property(rollouts, fc.integer({ min: 50, max: 400 }), (sequences, tokens) => {
        const rows = rolloutRows(sequences, tinyConfig, tokens)
        expect(rows.flatMap(({ members }) => members).sort((a, b) => a - b)).toEqual(sequences.map((_, i) => i))
        for (const { members, shared, length } of rows) {
          const lengths = members.map((i) => sequences[i]!.ids.length)
          expect(length).toBe(lengths.reduce((sum, each) => sum + each - shared, shared))
          if (members.length > 1) expect(length).toBeLessThanOrEqual(tokens)
          const [first, ...others] = members.map((i) => sequences[i]!.ids.slice(0, shared))
          for (const other of others) expect(other).toEqual(first)
        }
      }),
    )
  })

  it('are a row each where attention to a common row would cost more than the prompt', () => {
    const long = (i: number): Sequence => ({ ids: [7, ...new Array<number>(3000).fill(i)], trained: [1] })
    expect(rolloutRows([long(1), long(2)], tinyConfig, 100_000).map(({ members }) => members)).toEqual([[0], [1]])
  })

  it('are a row each for a model that sees a window', () => {
    const rollout = { ids: [1, 2, 3, 4], trained: [3] }
    const config = { ...tinyConfig, sliding: { window: 2, layers: [true, true], rope: { theta: 10_000 } } }
    expect(rolloutRows([rollout, rollout], config, 100)).toHaveLength(2)
  })
})

it('each trained token is predicted from its prefix: what its place may see is what stands before it', () => {
  fc.assert(
    fc.property(rollouts, fc.integer({ min: 50, max: 400 }), (sequences, tokens) => {
      let found = 0
      for (const batch of rolloutMicrobatches(sequences, tinyConfig, tokens)) {
        const [, time] = batch.ids.shape as [number, number]
        batch.origins.forEach(({ sequence, place }, i) => {
          const at = batch.logitRows.data[i]!
          const row = Math.floor(at / time)
          const start = batch.starts?.data[at] ?? 0
          const shared = batch.shared?.data[row] ?? 0
          const seen: number[] = []
          for (let key = row * time; key <= at; key++) {
            if (key - row * time >= start || key - row * time < shared) seen.push(batch.ids.data[key]!)
          }
          expect(seen).toEqual(sequences[sequence]!.ids.slice(0, place))
          expect(batch.targets.data[i]).toBe(sequences[sequence]!.ids[place])
          found++
        })
      }
      expect(found).toBe(sequences.reduce((sum, { trained }) => sum + trained.length, 0))
    }),
  )
})
