/** A loss or a gradient that is not finite: weights and Adam's state are as before the step. */
export class NotFiniteError extends Error {}
