import type { ErrorContent } from './errors.js'

/** For a cell in the syntax of IPython, which TypeScript could not read: one line that says how it is done here. */
export function ipythonHint(code: string): ErrorContent | undefined {
  const line = code.trim().split('\n')[0]!
  const hint = hintFor(line)
  return hint === undefined ? undefined : { ename: 'NotTypeScript', evalue: hint, traceback: [hint] }
}

function hintFor(line: string): string | undefined {
  const [, install] = /^(?:%|!)\s*(?:pip|conda|npm)3?\s+install\s+(.*)$/.exec(line) ?? []
  if (install !== undefined)
    return `Cells are TypeScript: packages are installed in a terminal, in the notebook's folder, by: npm install ${install}`
  if (/^%%?[A-Za-z]/.test(line))
    return `Cells are TypeScript, and have no ${line.split(/\s/)[0]}: to time code, use console.time('a') and console.timeEnd('a'); for files and commands, Node's modules such as node:fs`
  if (line.startsWith('!') && line.length > 1)
    return `Cells are TypeScript: a shell command runs by (await import('node:child_process')).execSync(${JSON.stringify(line.slice(1).trim())}, { encoding: 'utf8' })`
  const [, name] = /^\?{1,2}\s*([\w.$]*)$/.exec(line) ?? /^([\w.$]*)\?{1,2}$/.exec(line) ?? []
  if (name !== undefined)
    return `To read about ${name || 'a name'}, put the cursor on it and press Shift+Tab; Tab completes names`
  return undefined
}
