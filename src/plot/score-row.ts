import type { ColumnTable } from 'arquero'
import type { ComparisonRow } from '../table/comparison-table.js'

/** A method's exact match on a set, or its average. */
export type ScoreRow = Pick<ComparisonRow, 'method' | 'dataset' | 'domain' | 'em' | 'emLow' | 'emHigh'>

/** Rows of a table that `comparisonTable` or `paperTable` makes. @typeParam More Columns that a figure needs besides. */
export const scoreRows = <More = unknown>(table: ColumnTable): (ScoreRow & More)[] =>
  table.objects() as (ScoreRow & More)[]
