export { comparison } from './comparison.js'
export type { ComparisonFigureOptions } from './comparison.js'
export { trainingCurves } from './training-curves.js'
export type { Figure } from './figure.js'
