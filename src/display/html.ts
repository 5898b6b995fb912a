import { inspect } from 'node:util'

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text that is markup already. Only the template `html` makes it, so that nothing read from a file can pass for it. */
class Markup {
  readonly #text: string

  constructor(text: string) {
    this.#text = text
  }

  static is(value: unknown): value is Markup {
    return typeof value === 'object' && value !== null && #text in value
  }

  toString(): string {
    return this.#text
  }
}

export type Html = Markup
export const isHtml = (value: unknown): value is Html => Markup.is(value)

/**
 * The one way in which this package makes HTML and SVG: html`<b>${text}</b>`. What is put in shows as itself, whatever it
 * holds and whatever its type; only other templates, and lists of them, stay markup. Attribute values need quotes. Line
 * breaks of the template, with the indentation behind them, are left out.
 */
export function html(parts: TemplateStringsArray, ...values: unknown[]): Html {
  const fixed = parts.map((part) => part.replace(/\n\s*/g, ''))
  return new Markup(fixed.reduce((made, part, i) => `${made}${markupOf(values[i - 1])}${part}`))
}

/** Markup that the user vouches for, given to `zs.html`. */
export const vouchedHtml = (markup: string): Html => new Markup(markup)

function markupOf(value: unknown): string {
  if (Array.isArray(value)) return value.map(markupOf).join('')
  return Markup.is(value) ? value.toString() : textOf(value).replace(/[&<>"']/g, (letter) => ENTITIES[letter]!)
}

function textOf(value: unknown): string {
  if (value === null || value === undefined) return ''
  return typeof value === 'string' ? value : inspect(value)
}

/** An element's style attribute, or none: viewers that show static HTML alone drop styles, or show them as text. */
export type Style = (css: string) => Html

export const styled: Style = (css) => html` style="${css}"`
export const unstyled: Style = () => html``
