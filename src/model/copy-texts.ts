import { copyFile, readdir, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'

/**
 * Copies the files of a model folder that are neither weights nor an index of them. A link is followed where it leads
 * into the folder itself, or, in the hub's cache, to a blob of the same model; another one could lead to anything that
 * this user may read, so it is left out, and that is told.
 */
export async function copyTexts(from: string, to: string): Promise<void> {
  const root = await realpath(from)
  const allowed = [root, ...blobsOf(root)].map((folder) => folder + sep)
  for (const name of (await readdir(root)).filter(isText)) {
    const path = await realpath(join(root, name)).catch(() => undefined)
    if (path !== undefined && !allowed.some((folder) => path.startsWith(folder))) {
      console.warn(
        `write checkpoint: ${join(from, name)} is a link to ${path}, outside of the model's folder, so it is left out; ` +
          'put a copy of the file there if it belongs to the model',
      )
    } else if (path !== undefined && (await stat(path)).isFile()) await copyFile(path, join(to, name))
  }
}

const isText = (name: string): boolean =>
  /\.(json|jinja|txt|model)$/.test(name) && !name.endsWith('.safetensors.index.json')

/** `models--owner--name/blobs` for a folder `models--owner--name/snapshots/<commit>`. */
function blobsOf(root: string): string[] {
  const model = dirname(dirname(root))
  const isSnapshot = basename(dirname(root)) === 'snapshots' && basename(model).startsWith('models--')
  return isSnapshot ? [join(model, 'blobs')] : []
}
