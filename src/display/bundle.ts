import type { Best } from '../table/best-cells.js'
import type { Html, Style } from './html.js'

/** What a notebook stores of one output: one representation for each kind of viewer. */
export type MimeBundle = Record<string, unknown>

/** The same before it leaves src/display: its HTML is markup that the escaping template made, or that the user vouches for. */
export interface Bundle extends MimeBundle {
  'text/html'?: Html
}

/** An object of this package that knows how it shows itself: a progress bar, a log, curves, explicit HTML. */
export interface View {
  /** @internal */
  toView(isStatic: boolean): Bundle | Promise<Bundle>
}

/** How an output is wanted. */
export interface ShowContext {
  /** For viewers that show neither scripts nor styles. */
  isStatic: boolean
  style: Style
  /** Column to sort tables by, `-column` for descending order. */
  sort?: string
  /** Whose best values of a table are bold, and among which rows. */
  best?: { best: Best; within: string | undefined }
}
