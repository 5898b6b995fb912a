import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import { withProgress } from '../host/progress.js'
import { abortable } from '../signal/abortable.js'
import { float32 } from './host-tensor.js'
import type { HostTensor } from './host-tensor.js'
import { enqueue, enqueueBeside } from './queue.js'
import { dtypeNumber, native } from './runtime.js'
import type { NativeResult } from './runtime.js'
import { Trace } from './trace.js'
import type { VariableHandle } from './trace.js'
import { signature, variablesOf } from './variable.js'
import type { Variable } from './variable.js'

export interface CompileOptions {
  /** Compile with XLA (seconds for each new signature, faster calls); default: a plain TensorFlow graph. */
  xla?: boolean
  /** Compute matrix products in bfloat16; default false. */
  bfloat16?: boolean
  /**
   * Let calls run beside others of this kind, so that no processor waits. No two of them may change the same variables at the
   * same time: the caller sees to that. Default false: a call runs alone.
   */
  beside?: boolean
}

/** What may go into a compiled function: a number is a float32 scalar. */
export type Input = HostTensor | number
/** For functions of their state alone. */
export type NoInputs = Record<never, never>
/** What the body sees of its inputs. */
export type Traced<I> = { [K in keyof I]: TensorFlow.Tensor }
/** What a call gives. */
export type Results<R> = { [K in keyof R]: HostTensor }

export interface Compiled<I extends { [K in keyof I]: Input }, S, R> {
  /**
   * Runs in TensorFlow, off the main thread, after all earlier calls of any compiled function (but see `beside`).
   * @param state Variables (in any nesting of arrays and records) that the body reads and changes. A call with other
   * variables of the same shapes reuses the compiled function.
   * @param signal Rejects at once when aborted; the step itself ends in the background.
   */
  (inputs: I, state: S, signal?: AbortSignal): Promise<Results<R>>
  /** Frees the TensorFlow functions. */
  dispose(): void
}

interface Entry {
  functionName: string
  /** Functions that it calls (see graph-function.ts). */
  parts: readonly string[]
  outputs: string[]
  /** Variables that the body uses without their being in `state`. */
  captured: VariableHandle[]
  /** Places of the variables that it changes, among those of `state` and then the captured ones. */
  changed: number[]
}

let compileCounter = 0

/** Number of functions traced so far in this process: stays flat once all shapes have been seen. */
export function compileCount(): number {
  return compileCounter
}

let compiling = 0

/**
 * Seconds that tracing and compiling have taken so far in this process. XLA compiles in a function's first call, which counts
 * whole; the first call of a plain function is work like those after it.
 */
export function compileSeconds(): number {
  return compiling
}

/**
 * Turns an ordinary tfjs function, gradients included, into a TensorFlow function: one for each signature (shapes and
 * dtypes of inputs and state).
 *
 * The body runs once for each signature, to be traced: JavaScript numbers freeze into the trace, so whatever changes
 * between calls (learning rate, positions, random numbers) must be an input. It may return no tensors of state; it
 * changes state with `Variable.assign`.
 *
 * @param name Shown in errors.
 * @param body Gets traced inputs and the state itself, returns named tensors.
 */
export function compile<I extends { [K in keyof I]: Input }, S, R extends Record<string, TensorFlow.Tensor>>(
  name: string,
  body: (inputs: Traced<I>, state: S) => R,
  options: CompileOptions = {},
): Compiled<I, S, R> {
  const entries = new Map<string, Entry>()
  const run = async (inputs: I, state: S): Promise<Results<R>> => {
    const names = Object.keys(inputs) as (keyof I & string)[]
    const values = names.map((key) => hostTensor(inputs[key]))
    const places = variablesOf(state)
    const variables = [...places.values()]
    const key = signature([...names.map((name, i) => [name, values[i]!] as const), ...places])
    const known = entries.get(key)
    if (known) return execute(known, values, variables)
    return withProgress({ title: `compiling ${name}` }, async () => {
      const started = performance.now()
      const entry = trace(name, body, options, inputs, names, values, state, variables)
      entries.set(key, entry)
      const traced = performance.now()
      try {
        return await execute(entry, values, variables)
      } finally {
        compiling += ((options.xla ? performance.now() : traced) - started) / 1000
      }
    })
  }
  const execute = async (entry: Entry, values: HostTensor[], variables: Variable[]): Promise<Results<R>> => {
    const uploaded = values.map((value) => native.upload(dtypeNumber[value.dtype], value.shape, value.data))
    try {
      const all = [...variables, ...entry.captured]
      for (const place of entry.changed) all[place]!.changes++
      const results = await native.call(
        entry.functionName,
        [...uploaded, ...all.map((variable) => variable.id)],
        entry.outputs.length,
        options.xla ?? false,
      )
      return Object.fromEntries(entry.outputs.map((output, i) => [output, fromNative(results[i]!)])) as Results<R>
    } catch (error) {
      throw callError(name, error)
    } finally {
      uploaded.forEach((id) => native.deleteTensor(id))
    }
  }
  const compiled = (inputs: I, state: S, signal?: AbortSignal): Promise<Results<R>> =>
    // TensorFlow cannot stop a running function: it ends in the background, and later calls wait for it.
    abortable(
      (options.beside ? enqueueBeside : enqueue)(() => run(inputs, state)),
      signal,
      () => new DOMException(`${name}: stopped; the running step ends in the background`, 'AbortError'),
    )
  return Object.assign(compiled, {
    dispose(): void {
      for (const { functionName, parts } of entries.values()) {
        for (const name of [functionName, ...parts]) native.removeFunction(name)
      }
      entries.clear()
    },
  })
}

function trace<I extends { [K in keyof I]: Input }, S, R extends Record<string, TensorFlow.Tensor>>(
  name: string,
  body: (inputs: Traced<I>, state: S) => R,
  options: CompileOptions,
  inputs: I,
  names: string[],
  values: HostTensor[],
  state: S,
  variables: Variable[],
): Entry {
  const recording = new Trace(options.bfloat16 ?? false, undefined, options.xla)
  const functionName = `zerosearch_${compileCounter}_${name.replace(/\W/g, '_')}`
  let outputs: string[] = []
  let changed: number[] = []
  recording.record(() => {
    const traced = names.map((key, i) => [key, recording.placeholder(dtypeNumber[values[i]!.dtype], values[i]!.shape)])
    variables.forEach((variable) => recording.variable(variable))
    const results = body(Object.fromEntries(traced) as Traced<I>, state)
    outputs = Object.keys(results)
    changed = recording.variables.flatMap((variable, place) => (recording.writes(variable) ? [place] : []))
    native.addFunction(
      recording.graph,
      functionName,
      [...recording.inputs, ...recording.variableInputs],
      outputs.map((key) => recording.outputOf(results[key]!)),
      [...recording.effects],
      options.xla ? ['_XlaMustCompile'] : [],
    )
  })
  compileCounter++
  const captured = recording.variables.slice(variables.length)
  return { functionName, parts: recording.functions, outputs, captured, changed }
}

function callError(name: string, cause: unknown): Error {
  const message = cause instanceof Error ? cause.message : String(cause)
  const remedy = /OOM when allocating|RESOURCE_EXHAUSTED|out of memory/i.test(message)
    ? 'out of memory; smaller microbatches (microbatchTokens), fewer slots or a shorter contextLength need less. '
    : ''
  return new Error(`${name}: ${remedy}${message}`, { cause })
}

function hostTensor(value: HostTensor | number): HostTensor {
  return typeof value === 'number' ? float32([value], []) : value
}

function fromNative(result: NativeResult): HostTensor {
  const { shape } = result
  switch (result.dtype) {
    case dtypeNumber.float32:
      return { dtype: 'float32', shape, data: new Float32Array(result.data) }
    case dtypeNumber.int32:
      return { dtype: 'int32', shape, data: new Int32Array(result.data) }
    case dtypeNumber.bool:
      return { dtype: 'bool', shape, data: new Uint8Array(result.data) }
    default:
      throw new Error(`a result has TensorFlow dtype ${result.dtype}; return float32, int32 or bool`)
  }
}
