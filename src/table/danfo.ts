import type { ColumnTable } from 'arquero'
import type { DataFrame, Series } from 'danfojs-node'
import { plainText } from './table-text.js'

type Danfo = typeof import('danfojs-node')

/**
 * The same table as a Danfo DataFrame, column order and types kept; null stays null. Lists and objects become JSON, for a frame
 * holds none.
 *
 * In frames of this process `describe()` and the aggregates of `groupby()` leave nulls out, as pandas does: Danfo 1.2 by itself stops
 * at them, or takes them for 0. What no value is known of is null, its count and sum are 0.
 *
 * The one place that imports Danfo, and only when called: Danfo loads TensorFlow, which reading saved records and
 * drawing figures from them must not need.
 * @example
 * const frame = await zs.toDataFrame(zs.comparisonTable(scores))
 * frame.loc({ columns: ['method', 'dataset', 'em'] }).head(7)
 * frame.groupby(['method']).col(['em', 'emWithoutFailed']).mean()
 */
export async function toDataFrame(table: ColumnTable): Promise<DataFrame> {
  // First: it mends what Danfo's TensorFlow needs on newer Nodes.
  await import('../tensor/runtime.js')
  const danfo = await import('danfojs-node')
  leaveNullsOut(danfo)
  const names = table.columnNames()
  const columns = names.map((name) => Array.from(table.array(name) as ArrayLike<unknown>, plain))
  return new danfo.DataFrame(Object.fromEntries(names.map((name, i) => [name, columns[i]])), {
    dtypes: columns.map(typeOf),
  })
}

/** A frame holds no lists: they become text, as in CSV. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number(value)
  return typeof value === 'object' && value !== null ? plainText(value) : value
}

const isKnown = (value: unknown): boolean => value !== null && value !== undefined && !Number.isNaN(value)

/** Danfo itself looks at the first values alone, and takes nulls for numbers. */
function typeOf(values: readonly unknown[]): 'int32' | 'float32' | 'boolean' | 'string' {
  const known = values.filter(isKnown)
  const all = (type: string): boolean => known.length > 0 && known.every((value) => typeof value === type)
  if (all('boolean')) return 'boolean'
  if (!all('number')) return 'string'
  return values.every(Number.isInteger) ? 'int32' : 'float32'
}

const STATISTICS = ['count', 'mean', 'std', 'min', 'median', 'max', 'variance']
/** Aggregates of a group that are one number. The cumulative ones stay as they are. */
const AGGREGATES = ['mean', 'sum', 'count', 'mode', 'std', 'var', 'median', 'min', 'max']

interface Group {
  groupMathLog: (this: Group, values: unknown[], aggregate: string) => unknown[]
}

let patched = false

function leaveNullsOut({ DataFrame, Series }: Danfo): void {
  if (patched) return
  patched = true
  // What `loc` and others give is of the class that theirs extends.
  const frames = Object.getPrototypeOf(DataFrame.prototype) as DataFrame
  frames.describe = function (this: DataFrame) {
    const numeric = this.columns.filter((_, i) => this.dtypes[i] !== 'string')
    const columns = numeric.map((name) => {
      const known = (this.column(name).values as unknown[]).filter(isKnown).map(Number)
      return [name, known.length === 0 ? [0, ...STATISTICS.slice(1).map(() => null)] : statistics(new Series(known))]
    })
    return new DataFrame(Object.fromEntries(columns), { index: STATISTICS })
  }
  const groups = Object.getPrototypeOf(new DataFrame({ a: [1] }).groupby(['a'])) as Group
  const { groupMathLog } = groups
  groups.groupMathLog = function (values, aggregate) {
    if (!AGGREGATES.includes(aggregate)) return groupMathLog.call(this, values, aggregate)
    const known = values.filter(isKnown)
    if (known.length > 0) return groupMathLog.call(this, known, aggregate)
    return [aggregate === 'count' || aggregate === 'sum' ? 0 : null]
  }
}

const statistics = (known: Series): number[] => [
  ...[known.count(), known.mean(), known.std(), known.min(), known.median(), known.max(), known.var()],
]
