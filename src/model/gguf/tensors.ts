import { open } from 'node:fs/promises'
import type { TensorSource } from '../safetensors.js'
import type { GgufHeader, GgufTensor } from './header.js'

/** Bytes read at once, at most: bounds memory beside the tensor itself. */
const CHUNK = 1 << 24

/** Opens a GGUF to read its tensors, one at a time. */
export async function openGgufTensors({ path, tensors }: GgufHeader): Promise<TensorSource> {
  const file = await open(path, 'r').catch((error: unknown) => {
    throw new Error(`gguf: cannot open ${path}`, { cause: error })
  })
  const read = async (name: string, { format, shape, begin, end }: GgufTensor): Promise<Float32Array> => {
    const values = new Float32Array(shape.reduce((product, dim) => product * dim, 1))
    const buffer = Buffer.allocUnsafeSlow(Math.min(end - begin, CHUNK - (CHUNK % format.bytes)))
    for (let at = begin, to = 0; at < end;) {
      const wanted = Math.min(buffer.length, end - at)
      for (let got = 0; got < wanted;) {
        const { bytesRead } = await file.read(buffer, got, wanted - got, at + got)
        if (bytesRead === 0) throw new Error(`gguf: ${path} ended inside of '${name}'; did the file change?`)
        got += bytesRead
      }
      const count = (wanted / format.bytes) * format.values
      format.decode(buffer.subarray(0, wanted), values.subarray(to, to + count))
      at += wanted
      to += count
    }
    return values
  }
  return {
    shapes: new Map([...tensors].map(([name, { shape }]) => [name, shape])),
    async read(name) {
      const tensor = tensors.get(name)
      if (!tensor) throw new Error(`gguf: ${path} has no tensor '${name}'`)
      return read(name, tensor)
    },
    close: () => file.close(),
  }
}
