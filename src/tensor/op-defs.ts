import { createRequire } from 'node:module'
import { native } from './runtime.js'

/** One argument of an op: how many tensors it takes is fixed (1), or given by an attribute. */
export interface OpArgument {
  /** Attribute that holds the number of tensors (`N`), where the argument is a homogeneous list. */
  numberAttr: string
  /** Attribute that holds the types, where the argument is a heterogeneous list. */
  typeListAttr: string
}

interface OpListMessage {
  getOpList(): {
    getName(): string
    getInputArgList(): { getNumberAttr(): string; getTypeListAttr(): string }[]
  }[]
}

let definitions: Map<string, OpArgument[]> | undefined

/** The input arguments of an op, from TensorFlow's own list. Throws for an unknown op. */
export function opArguments(name: string): OpArgument[] {
  definitions ??= readDefinitions()
  const found = definitions.get(name)
  if (!found) throw new Error(`trace: TensorFlow has no op named ${name}`)
  return found
}

function readDefinitions(): Map<string, OpArgument[]> {
  const require = createRequire(import.meta.url)
  const messages = require('@tensorflow/tfjs-node-gpu/dist/proto/api_pb.js') as {
    OpList: { deserializeBinary(bytes: Uint8Array): OpListMessage }
  }
  const list = messages.OpList.deserializeBinary(new Uint8Array(native.opList()))
  return new Map(
    list.getOpList().map((op) => [
      op.getName(),
      op.getInputArgList().map((argument) => ({
        numberAttr: argument.getNumberAttr(),
        typeListAttr: argument.getTypeListAttr(),
      })),
    ]),
  )
}
