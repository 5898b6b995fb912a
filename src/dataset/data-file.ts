import { stat } from 'node:fs/promises'
import { z } from 'zod'
import { fetchOne } from '../hub/hub-download.js'
import { hubFault } from '../hub/hub-fault.js'
import { hubRequest, hubShape } from '../hub/hub-options.js'
import type { HubOptions } from '../hub/hub-options.js'

/** Of `download` in the options of readers. */
export const downloadSchema: z.ZodType<HubOptions> = z.strictObject(hubShape)

/** `owner/name/folder/file.jsonl`: a file of a dataset of the hub. */
const NAME = /^(\w[\w.-]*\/\w[\w.-]*)\/(\w[\w.-]*(?:\/\w[\w.-]*)*)$/

/** Names that an error shows. */
const SHOWN = 8

/**
 * A file of data: a path is taken as it is; a name like `RUC-NLPIR/FlashRAG_datasets/nq/test.jsonl` is a file of a dataset of the hub,
 * which is downloaded once. What begins with a folder that is here is a path, whether its file is there or not.
 * @param operation Begins the errors: `read question set`.
 * @throws where the hub has no such file, refuses it, or cannot be reached; where the disk fails, or a checksum is wrong
 */
export async function dataFile(operation: string, path: string, options: HubOptions = {}): Promise<string> {
  const [, name, file] = NAME.exec(path) ?? []
  if (name === undefined || file === undefined || (await isThere(path)) || (await isThere(name.split('/')[0]!)))
    return path
  const request = await hubRequest(operation, { kind: 'dataset', name }, options)
  try {
    return await fetchOne(request, file, (files) => {
      const names = [...files.keys()].slice(0, SHOWN).map((one) => `${name}/${one}`)
      return names.length === 0 ? '' : `; its folder has ${names.join(', ')}${files.size > SHOWN ? ', …' : ''}`
    })
  } catch (error) {
    if (options.signal?.aborted) throw error
    throw hubFault(`${operation} ${path}`, request, error)
  }
}

const isThere = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  )
