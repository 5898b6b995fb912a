import type { ColumnTable } from 'arquero'
import type { DataFrame } from 'danfojs-node'

/**
 * The same table as a Danfo DataFrame, column order and types kept; null stays null.
 *
 * The one place that imports Danfo, and only when called: Danfo loads TensorFlow, which reading saved records and
 * drawing figures from them must not need.
 * @example
 * const frame = await zs.toDataFrame(zs.comparisonTable(scores))
 * frame.loc({ columns: ['method', 'dataset', 'em'] }).head(7)
 */
export async function toDataFrame(table: ColumnTable): Promise<DataFrame> {
  // First: it mends what Danfo's TensorFlow needs on newer Nodes.
  await import('../tensor/runtime.js')
  const danfo = await import('danfojs-node')
  const columns = Object.fromEntries(table.columnNames().map((name) => [name, [...table.array(name)]]))
  return new danfo.DataFrame(columns)
}
