import { readFileSync } from 'node:fs'
import ts from './cells/typescript.cjs'
import { PROTOCOL_VERSION } from './message.js'

const project = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as { version: string }

/** Content of `kernel_info_reply`. */
export function kernelInfo(): Record<string, unknown> {
  return {
    status: 'ok',
    protocol_version: PROTOCOL_VERSION,
    implementation: 'zerosearch',
    implementation_version: project.version,
    banner: `zerosearch ${project.version} · TypeScript ${ts.version} · Node ${process.version}`,
    language_info: {
      name: 'typescript',
      version: ts.version,
      mimetype: 'text/typescript',
      file_extension: '.ts',
      pygments_lexer: 'typescript',
      nbconvert_exporter: 'script',
      codemirror_mode: { mode: 'typescript', name: 'javascript', typescript: true },
    },
    help_links: [
      { text: 'TypeScript', url: 'https://www.typescriptlang.org/docs/' },
      { text: 'Node.js', url: 'https://nodejs.org/api/' },
      { text: 'Arquero', url: 'https://idl.uw.edu/arquero/' },
      { text: 'Plotly', url: 'https://plotly.com/javascript/' },
      { text: 'ZeroSearch (paper)', url: 'https://arxiv.org/abs/2505.04588' },
    ],
  }
}
