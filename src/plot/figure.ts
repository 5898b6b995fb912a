/** A Plotly figure as plain JSON: traces and layout. Without a width it takes that of the page. */
export interface Figure {
  /** Plotly's traces. */
  data: Record<string, unknown>[]
  /** Plotly's layout: titles, axes, size. */
  layout: Record<string, unknown>
}

/** Okabe and Ito's palette: told apart without colour vision, on light and dark paper. */
export const COLOURS = ['#0072B2', '#E69F00', '#009E73', '#CC79A7', '#56B4E9', '#D55E00', '#8A8A8A']

const GRID = 'rgba(128, 128, 128, 0.25)'

/** Axis settings shared by all figures: thin grid, no heavy lines. Margins are fixed, for a drawing without a browser cannot measure boxes. */
export const axis = (more: Record<string, unknown> = {}): Record<string, unknown> => ({
  gridcolor: GRID,
  zeroline: false,
  ...more,
})

/** A label at a place of the figure, in shares of its plotting area; `y` is its lower end. */
export const label = (text: string, x: number, y: number): Record<string, unknown> => ({
  text,
  x,
  y,
  xref: 'paper',
  yref: 'paper',
  xanchor: 'left',
  yanchor: 'bottom',
  align: 'left',
  showarrow: false,
  font: { size: 13 },
})

/** Text, and lines that are read: 4.5:1 on white paper. JupyterLab as `npm run lab` starts it shows it in the theme's text colour (kernel/figures.css). */
export const TEXT = '#767676'

/** Layout shared by all figures: transparent paper, so that light and dark pages both work. */
export const layout = (title: string, more: Record<string, unknown> = {}): Record<string, unknown> => ({
  // Its place does not move with the margin, where a legend may be.
  title: {
    text: title,
    x: 0,
    xref: 'paper',
    y: 1,
    yref: 'container',
    yanchor: 'top',
    pad: { t: 14 },
    font: { size: 16 },
  },
  paper_bgcolor: 'rgba(0,0,0,0)',
  plot_bgcolor: 'rgba(0,0,0,0)',
  font: { family: 'Inter, sans-serif', size: 12, color: TEXT },
  margin: { l: 60, r: 20, t: 60, b: 50 },
  ...more,
})
