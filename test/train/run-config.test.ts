import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import ts from 'typescript'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { runConfigShape } from '../../src/train/run-config.js'

/** What the interfaces of these files say of each field. */
function documentation(...files: string[]): Map<string, string> {
  const found = new Map<string, string>()
  for (const file of files) {
    const text = readFileSync(join(import.meta.dirname, '../../src/train', file), 'utf8')
    ts.createSourceFile(file, text, ts.ScriptTarget.Latest, true).forEachChild((node) => {
      if (!ts.isInterfaceDeclaration(node)) return
      for (const member of node.members) {
        const comment = ts.getJSDocCommentsAndTags(member).map((part) => part.getText())
        if (member.name) found.set(member.name.getText(), comment.join(' '))
      }
    })
  }
  return found
}

/** The value in "Default 0.1 (…)" or "Default `token`.". */
function said(comment: string | undefined): unknown {
  const value = /Default `?([\w.-]*\w)/.exec(comment ?? '')?.[1]
  if (value === 'true' || value === 'false') return value === 'true'
  return Number.isNaN(Number(value)) ? value : Number(value)
}

const docs = documentation('optimizer.ts', 'learner.ts', 'policy-settings.ts', 'grpo.ts', 'run-config.ts')

test.each(Object.entries(runConfigShape('grpo') as Record<string, z.ZodType>))(
  '%s: its documentation says the default that the schema gives',
  (name, schema) => {
    const { success, data } = schema.safeParse(undefined)
    const comment = docs.get(name)
    if (!success || data === undefined) expect(comment).not.toMatch(/default [\d`]/i)
    else expect(JSON.stringify(said(comment))).toBe(JSON.stringify(data))
  },
)
