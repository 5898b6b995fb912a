import type * as TensorFlow from '@tensorflow/tfjs-node-gpu'
import type { CompileOptions } from './compile.js'
import { backend, dtypeNumber, native } from './runtime.js'
import { currentTrace, Trace } from './trace.js'
import type { TracedFunction } from './trace.js'
import { signature, variablesOf } from './variable.js'
import type { Variable } from './variable.js'

type Tensors = Record<string, TensorFlow.Tensor>

/** A function that compiled functions call as one step. */
export type GraphFunction<I extends Tensors, S, R extends Tensors> = (inputs: I, state: S) => R

interface Entry extends TracedFunction {
  /** Names of the results. */
  results: string[]
  /** Variables that the body uses without their being in `state`. */
  captured: Variable[]
}

let counter = 0

/**
 * A function of its own inside of compiled functions: traced once for each signature and called from then on, so that
 * neither tracing nor TensorFlow's own work on the graph grows with the number of calls. What it computes inside is freed
 * when a call ends; only its results live on. Its calls are never merged or inlined.
 *
 * It takes everything through its arguments, and it has no gradient: a caller gives it one with `tf.customGrad`.
 *
 * @param name Shown in errors.
 * @param body Gets tensors and state (variables in any nesting of arrays and records), as `compile`'s body does.
 * @param options `bfloat16` as that of `compile`; default: as the caller.
 */
export function graphFunction<I extends Tensors, S, R extends Tensors>(
  name: string,
  body: (inputs: I, state: S) => R,
  options: Pick<CompileOptions, 'bfloat16'> = {},
): GraphFunction<I, S, R> {
  const entries = new WeakMap<Trace, Map<string, Entry>>()
  return (inputs, state) => {
    const caller = currentTrace()
    if (!caller) throw new Error(`${name}: a graph function can only be called inside of a compiled function`)
    const variables = variablesOf(state)
    const names = Object.keys(inputs)
    const ids = backend.getInputTensorIds(names.map((key) => inputs[key]!))
    const known = entries.get(caller.root) ?? new Map<string, Entry>()
    entries.set(caller.root, known)
    const key = signature([...Object.entries(inputs), ...variables])
    let entry = known.get(key)
    if (!entry) {
      const recording = new Trace(options.bfloat16 ?? caller.bfloat16, caller)
      entry = trace(name, body, inputs, state, [...variables.values()], recording)
      known.set(key, entry)
    }
    const handles = [...variables.values(), ...entry.captured].map((variable) => caller.variable(variable))
    const results = caller.call(entry, [...ids, ...handles]).map((info) => backend.createOutputTensor(info))
    return Object.fromEntries(entry.results.map((result, i) => [result, results[i]!])) as R
  }
}

function trace<I extends Tensors, S, R extends Tensors>(
  name: string,
  body: (inputs: I, state: S) => R,
  inputs: I,
  state: S,
  variables: Variable[],
  recording: Trace,
): Entry {
  const functionName = `zerosearch_part_${counter++}_${name.replace(/\W/g, '_')}`
  let entry: Entry | undefined
  recording.record(() => {
    const traced = Object.entries(inputs).map(([key, { dtype, shape }]) => {
      return [key, recording.placeholder(dtypeNumber[dtype as 'float32'], shape)] as const
    })
    variables.forEach((variable) => recording.variable(variable))
    const results = body(Object.fromEntries(traced) as I, state)
    const all = recording.variables as Variable[]
    entry = {
      functionName,
      results: Object.keys(results),
      outputs: Object.values(results).map((result) => recording.describe(result)),
      writes: new Set(all.flatMap((variable, i) => (recording.writes(variable) ? [traced.length + i] : []))),
      captured: all.slice(variables.length),
    }
    native.addFunction(
      recording.graph,
      functionName,
      [...recording.inputs, ...recording.variableInputs],
      Object.values(results).map((result) => recording.outputOf(result)),
      [...recording.effects],
      ['_noinline'],
    )
  })
  recording.root.functions.push(functionName)
  return entry!
}
