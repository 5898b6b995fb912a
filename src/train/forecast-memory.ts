import { newAdapter } from '../model/adapter.js'
import { cacheBytes } from '../policy/cache-size.js'
import { MEMORY_PART_NAMES } from '../schema/forecast.js'
import type { MemoryParts } from '../schema/forecast.js'
import { microbatchMemory, standingMemory, totalBytes } from './memory-model.js'
import type { MemorySetup, MicrobatchMemory } from './memory-model.js'
import { rolloutMicrobatches } from './microbatch.js'
import type { Sequence } from './rows.js'

/** All that a run's memory depends on. */
export interface RunMemory {
  setup: MemorySetup
  microbatchTokens: number
  /** Conversations that the policy was loaded for. */
  slots: number
  /** What one batch learns from. */
  sequences: readonly Sequence[]
  /** No conversation can be held to fewer ids than this. */
  shortest: number
}

/** What a run takes, but for what the process takes anyway. */
export function modelledMemory({ setup, microbatchTokens, slots, sequences }: RunMemory): Omit<MemoryParts, 'process'> {
  const { weights, gradients, moments, reference, critic } = standingMemory(setup)
  const { layerInputs, kept, layer, logits, gradient } = largestMicrobatch(setup, sequences, microbatchTokens)
  return {
    weights,
    gradients: gradients + gradient,
    optimizerStates: moments,
    reference,
    critic,
    activations: layerInputs + kept + layer,
    logits,
    cache: cacheBytes(setup.config, { slots, conversations: sequences.length, longest: longestOf(sequences) }),
  }
}

function largestMicrobatch(setup: MemorySetup, sequences: readonly Sequence[], tokens: number): MicrobatchMemory {
  return rolloutMicrobatches(sequences, setup.config, tokens)
    .map(({ ids, targets }) =>
      microbatchMemory(setup, { rows: ids.shape[0]!, time: ids.shape[1]!, targets: targets.shape[0]! }),
    )
    .reduce((largest, memory) => (totalBytes(memory) > totalBytes(largest) ? memory : largest))
}

/** Bytes that the process doesn't hold yet before a run. */
export const addedBytes = (parts: Omit<MemoryParts, 'process'>): number => sumOf(parts) - parts.weights

export const sumOf = (parts: Partial<MemoryParts>): number => Object.values(parts).reduce((sum, part) => sum + part, 0)

/** A change of one option, and the run as it would be with it. */
interface Remedy {
  /** As it is to be written: `optimizerStates: '8-bit'`. */
  change: string
  run: RunMemory
}

/** Ways to take less memory, those that cost least first; of each, the mildest change first. */
const WAYS: ((run: RunMemory) => Remedy[])[] = [
  (run) =>
    halves(run.microbatchTokens, Math.min(run.microbatchTokens, longestOf(run.sequences))).map((microbatchTokens) => ({
      change: `microbatchTokens: ${microbatchTokens}`,
      run: { ...run, microbatchTokens },
    })),
  (run) =>
    run.setup.optimizerStates === '8-bit'
      ? []
      : [{ change: "optimizerStates: '8-bit'", run: withSetup(run, { optimizerStates: '8-bit' }) }],
  (run) =>
    run.setup.reference === 'float32'
      ? [{ change: "reference: 'bfloat16'", run: withSetup(run, { reference: 'bfloat16' }) }]
      : [],
  (run) => (run.setup.critic ? [{ change: 'critic: { shared: true }', run: withSetup(run, { critic: false }) }] : []),
  (run) =>
    halves(Math.min(run.slots, run.sequences.length), 1).map((slots) => ({
      change: `loadModel's slots: ${slots}`,
      run: { ...run, slots },
    })),
  (run) =>
    run.setup.trained === undefined
      ? [{ change: "loadModel's adapter: {}", run: withSetup(run, withAdapter(run.setup)) }]
      : [],
  (run) =>
    halves(longestOf(run.sequences), run.shortest).map((length) => ({
      change: `loadModel's contextLength: ${length}`,
      run: { ...run, sequences: run.sequences.map((sequence) => cut(sequence, length)) },
    })),
]

/**
 * The options that would make a run fit, each by itself where one is enough, else together.
 * @param free Bytes that the run may take beside its weights.
 * @returns a sentence
 */
export function remediesFor(run: RunMemory, free: number): string {
  const fits = ({ run }: { run: RunMemory }): boolean => addedBytes(modelledMemory(run)) <= free
  const single = WAYS.flatMap((way) => way(run).find(fits) ?? [])
  if (single.length > 0) return `It fits with ${single.map(({ change }) => change).join(', or with ')}.`
  const strongest = WAYS.map((way) => way(run).length - 1)
  let choice = strongest
  const all = withChoice(run, choice)
  const written = (changes: readonly string[]): string => changes.join(', ')
  if (!fits(all)) {
    const left = amount(addedBytes(modelledMemory(all.run)))
    return `No option makes it fit (with ${written(all.changes)} it would still need ${left}): take a smaller model, or free memory.`
  }
  // Of what costs most, as little as the others allow.
  for (let way = WAYS.length - 1; way >= 0; way--) {
    const milder = Array.from({ length: strongest[way]! + 1 }, (_, step) =>
      choice.map((of, i) => (i === way ? step - 1 : of)),
    )
    choice = milder.find((one) => fits(withChoice(run, one))) ?? choice
  }
  return `It fits with all of these: ${written(withChoice(run, choice).changes)}.`
}

/** @param choice Which change of each way, -1 for none. */
function withChoice(run: RunMemory, choice: readonly number[]): { run: RunMemory; changes: string[] } {
  return WAYS.reduce<{ run: RunMemory; changes: string[] }>(
    (so, way, i) => {
      const remedy = way(so.run)[choice[i]!]
      return remedy ? { run: remedy.run, changes: [...so.changes, remedy.change] } : so
    },
    { run, changes: [] },
  )
}

/** With a LoRA adapter of the default size, below which the model is the reference. */
const withAdapter = ({ config }: MemorySetup): Partial<MemorySetup> => ({
  trained: newAdapter(config, {}).parameters,
  reference: 'none',
})

/** Half, a quarter, …, down to the least. */
function halves(value: number, least: number): number[] {
  const smaller: number[] = []
  for (let half = Math.floor(value / 2); half > least; half = Math.floor(half / 2)) smaller.push(half)
  if (least < value) smaller.push(least)
  return smaller
}

const withSetup = (run: RunMemory, change: Partial<MemorySetup>): RunMemory => ({
  ...run,
  setup: { ...run.setup, ...change },
})

const longestOf = (sequences: readonly Sequence[]): number =>
  sequences.reduce((longest, { ids }) => Math.max(longest, ids.length), 0)

function cut({ ids, trained }: Sequence, length: number): Sequence {
  return { ids: ids.slice(0, length), trained: trained.filter((place) => place < length) }
}

const amount = (bytes: number): string =>
  bytes < 1e8 ? `${(bytes / 1e6).toFixed(1)} MB` : `${(bytes / 1e9).toFixed(2)} GB`

/**
 * @throws where a run takes more than there is, with its parts and what would make it fit
 * @param lengths What is known of the sequences' lengths.
 */
export function refuseWhatCannotFit(run: RunMemory, free: number, lengths: string): void {
  const parts = modelledMemory(run)
  const needed = addedBytes(parts)
  if (needed <= free) return
  const table = Object.entries(parts).map(
    ([part, bytes]) => `  ${MEMORY_PART_NAMES[part as keyof MemoryParts].padEnd(16)} ${amount(bytes).padStart(8)}`,
  )
  throw new Error(
    `forecast: this run cannot fit: ${lengths}, it needs ${amount(needed)} beside the policy's weights, and ` +
      `${amount(free)} are free. ${remediesFor(run, free)}\n${table.join('\n')}`,
  )
}
