/**
 * White space as Python's `str.split` and `str.strip` know it, which the reference metrics use: unlike JavaScript's it holds
 * U+001C to U+001F and U+0085, and not U+FEFF. U+200B is none in either.
 */
const SPACE = '\\t-\\r\\u001C-\\u0020\\u0085\\u00A0\\u1680\\u2000-\\u200A\\u2028\\u2029\\u202F\\u205F\\u3000'

const RUN = new RegExp(`[${SPACE}]+`)
const ENDS = new RegExp(`^[${SPACE}]+|[${SPACE}]+$`, 'g')

/** Without white space at both ends. */
export const trim = (text: string): string => text.replace(ENDS, '')

/** The words between white space; none of them is empty. */
export const splitWords = (text: string): string[] => text.split(RUN).filter((word) => word !== '')
