import { copyFile, readFile, readdir, realpath, stat, writeFile } from 'node:fs/promises'
import { basename, dirname, join, sep } from 'node:path'

/** The texts of a model (config, tokenizer, chat template), wherever they come from. */
export interface TextFiles {
  /** The folder or file that they come from, for errors. */
  readonly where: string
  /** A text by its file name; undefined where there is none. */
  read(name: string): Promise<string | undefined>
  /** Writes all of them into a folder. */
  copyTo(folder: string): Promise<void>
}

/** The texts of a model's folder. */
export function folderTexts(folder: string): TextFiles {
  return {
    where: folder,
    async read(name) {
      try {
        return await readFile(join(folder, name), 'utf8')
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
        throw new Error(`read model: cannot read ${join(folder, name)}`, { cause: error })
      }
    },
    copyTo: (to) => copyTexts(folder, to),
  }
}

/**
 * Texts that were made rather than read.
 * @param files By name; what is in an object becomes JSON.
 */
export function madeTexts(where: string, files: Readonly<Record<string, string | object>>): TextFiles {
  const text = (content: string | object): string =>
    typeof content === 'string' ? content : `${JSON.stringify(content, null, 2)}\n`
  return {
    where,
    read(name) {
      const content = Object.hasOwn(files, name) ? files[name] : undefined
      return Promise.resolve(content === undefined ? undefined : text(content))
    },
    async copyTo(to) {
      for (const [name, content] of Object.entries(files)) await writeFile(join(to, name), text(content))
    },
  }
}

/**
 * Copies the files of a model folder that are neither weights nor an index of them. A link is followed where it leads
 * into the folder itself, or, in the hub's cache, to a blob of the same model; another one could lead to anything that
 * this user may read, so it is left out, and that is told.
 */
async function copyTexts(from: string, to: string): Promise<void> {
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
