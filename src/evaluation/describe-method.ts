import { createHash } from 'node:crypto'
import { digest } from '../schema/digest.js'
import type { Expense } from '../schema/trajectory.js'
import type { Method } from './method.js'

/** A method as plain data: two that are the same answer the same. */
export interface DescribedMethod {
  budget?: Partial<Expense>
  settings: Record<string, unknown>
}

/**
 * What decides the answers of methods, by their names, as plain data. A model in this process is known by its name and its
 * weights, another one by its name and by what it adds to each request (of which a digest is kept: it may be secret); an
 * engine by its name and parameters; a function by its source, so that values which it took in from outside make no
 * difference.
 */
export async function describeMethods(methods: readonly Method[]): Promise<Record<string, DescribedMethod>> {
  const described: Record<string, DescribedMethod> = {}
  const models = new Map<object, Promise<string>>()
  for (const { name, budget, settings, ...method } of methods) {
    const own = settings ?? { answer: `source ${digest(method.answer.toString())}` }
    const fields = await describeFields(own, DEPTH, models)
    described[name] = { ...(budget && { budget: { ...budget } }), settings: fields }
  }
  return described
}

/** Digests of weights, each computed once. */
type Models = Map<object, Promise<string>>
type Fields = Readonly<Record<string, unknown>>

/** Levels of nesting that are looked at. */
const DEPTH = 8

/** More than settings hold; a corpus is known by its content. */
const LONGEST_LIST = 50

async function describe(value: unknown, depth: number, models: Models): Promise<unknown> {
  if (typeof value === 'function') return `function, source ${digest(String(value))}`
  if (typeof value !== 'object' || value === null) return isPlain(value) ? value : String(value)
  if (depth === 0) return '…'
  if (ArrayBuffer.isView(value)) {
    const bytes = new Uint8Array(value.buffer, value.byteOffset, value.byteLength)
    return `${value.byteLength} bytes, content ${createHash('sha256').update(bytes).digest('hex').slice(0, 12)}`
  }
  if (Array.isArray(value)) {
    if (value.length > LONGEST_LIST) return `${value.length}, content ${digest(value)}`
    return Promise.all(value.map((item) => describe(item, depth - 1, models)))
  }
  const fields = value as Fields
  if (has(fields, 'complete') || has(fields, 'start')) return describeModel(fields, depth, models)
  if (!has(fields, 'search')) return describeFields(fields, depth, models)
  return { engine: fields['name'], ...(await describeFields({ parameters: fields['parameters'] }, depth, models)) }
}

const has = (fields: Fields, method: string): boolean => typeof fields[method] === 'function'

const isPlain = (value: unknown): boolean =>
  value === null || ['string', 'boolean', 'undefined'].includes(typeof value) || Number.isFinite(value)

async function describeFields(fields: Fields, depth: number, models: Models): Promise<Record<string, unknown>> {
  const described: Record<string, unknown> = {}
  for (const [name, value] of Object.entries(fields))
    if (value !== undefined) described[name] = await describe(value, depth - 1, models)
  return described
}

async function describeModel(fields: Fields, depth: number, models: Models): Promise<unknown> {
  const { name, model, weights, parameters } = fields
  // One that asks another (`cached`) is known by that one.
  if (typeof model === 'object' && model !== null) return describe(model, depth - 1, models)
  const isLocal = typeof weights === 'object' && weights !== null
  if (isLocal && !models.has(fields)) {
    // Only where there are weights is TensorFlow there already.
    const { weightsDigest } = await import('../model/weights-digest.js')
    models.set(fields, weightsDigest(fields as Parameters<typeof weightsDigest>[0]))
  }
  return {
    model: name,
    ...(isLocal && { weights: await models.get(fields) }),
    ...(parameters !== undefined && { parameters: digest(parameters) }),
  }
}
