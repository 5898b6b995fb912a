import { table, type ColumnTable } from 'arquero'
import type { TokenView, ViewedToken } from '../schema/token-view.js'

/**
 * One row for each token of a view, with `ViewedToken`'s fields as columns; null where a token has none. Measures that no
 * token has are left out.
 * @example
 * const tokens = zs.tokenTable(await zs.tokenView(trajectory, { policy }))
 * await zs.display(tokens.filter('d => d.mask === 1'), { sort: 'ratio' })
 */
export function tokenTable({ tokens }: Pick<TokenView, 'tokens'>): ColumnTable {
  const column = <K extends keyof ViewedToken>(key: K): (ViewedToken[K] | null)[] =>
    tokens.map((token) => token[key] ?? null)
  const always = ['place', 'id', 'text', 'source', 'turn', 'mask', 'samplerLogprob', 'trainerLogprob', 'ratio'] as const
  const sometimes = (['kl', 'value', 'return', 'advantage'] as const).filter((key) =>
    tokens.some((token) => token[key] !== undefined),
  )
  return table(Object.fromEntries([...always, ...sometimes].map((key) => [key, column(key)])))
}
