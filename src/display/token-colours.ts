import type { TokenSource } from '../schema/token-view.js'

// Colours behind text that keeps the colour of the page: half transparent, of Okabe and Ito's palette, so that they are told
// apart on light and dark paper, and without colour vision.

const BLUE = '#0072B2'
const ORANGE = '#E69F00'

/** Share of the full colour as two hexadecimal digits, 60 % at most: text stays readable. */
const opacity = (share: number): string =>
  Math.round(Math.min(1, share) * 0.6 * 255)
    .toString(16)
    .padStart(2, '0')

/** Where a token comes from. */
export const SOURCE_COLOURS: Record<TokenSource, string> = {
  prompt: '#CC79A733',
  policy: '#0072B266',
  observation: '#E69F0040',
  template: '#8A8A8A40',
}

/** How far a value is from nothing: orange above, blue below; undefined where it rounds to nothing. */
export function valueColour(value: number, full: number): string | undefined {
  const share = opacity(Math.abs(value) / full)
  return share === '00' ? undefined : `${value > 0 ? ORANGE : BLUE}${share}`
}
