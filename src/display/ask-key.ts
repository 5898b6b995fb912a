import { createInterface } from 'node:readline'
import { Writable } from 'node:stream'
import { jupyter } from '../host/jupyter.js'
import { keepSecret } from '../schema/settings.js'

/** As shells have names of the environment; a key that is given by mistake seldom looks so. */
const NAME = /^[A-Z][A-Z0-9_]*$/

/**
 * Asks for a key and keeps it in this process's environment, where models and engines look for it: `OPENAI_API_KEY`,
 * `SERPAPI_API_KEY`, `GOOGLE_API_KEY`, `ELASTICSEARCH_API_KEY`, `HF_TOKEN`, or a name of your own. What is typed is not shown, and
 * written to no notebook, log or history; the key is gone with the process. Ask before you make the model.
 *
 * In JupyterLab the cell shows a field for it, in a terminal a line does.
 * @param name Of the variable; one that is set is replaced.
 * @throws {Error} where nobody can be asked (a notebook that runs unattended, no terminal), nothing is typed, or it is stopped
 * @example
 * await zs.askKey('OPENAI_API_KEY')
 * const model = zs.openAi({ model: 'gpt-4.1-mini' })
 */
export async function askKey(name: string): Promise<void> {
  if (typeof name !== 'string' || !NAME.test(name)) {
    throw new Error(
      'askKey: the name must be one of the environment, such as OPENAI_API_KEY; what was given is not shown, for it may be a key',
    )
  }
  const key = (await ask(name)).trim()
  if (!/^[\x21-\x7e]+$/.test(key)) {
    const fault =
      key === '' ? 'nothing was typed' : 'what was typed has blanks or other characters in it, and is not shown'
    throw new Error(`askKey: ${name} must be a text without blanks; ${fault}`)
  }
  keepSecret(name, key)
}

async function ask(name: string): Promise<string> {
  const notebook = jupyter()
  try {
    return await (notebook ? notebook.secret(`${name}: `) : askTerminal(`${name} (not shown): `))
  } catch (error) {
    throw new Error(`askKey: ${name}: ${(error as Error).message}`, { cause: error })
  }
}

/** One line of the terminal, which shows nothing of it. */
async function askTerminal(prompt: string): Promise<string> {
  if (!process.stdin.isTTY)
    throw new Error('there is no terminal to ask in; set it in the environment before the start')
  const nowhere = new Writable({ write: (_chunk, _encoding, done) => done() })
  // As a terminal it takes the keys one by one, and so the system shows none of them.
  const lines = createInterface({ input: process.stdin, output: nowhere, terminal: true, historySize: 0 })
  process.stderr.write(prompt)
  try {
    return await new Promise((resolve, reject) => {
      lines.once('line', resolve)
      lines.once('close', () => reject(new Error('stopped before a key was given')))
    })
  } finally {
    lines.close()
    process.stderr.write('\n')
  }
}
