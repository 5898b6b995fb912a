const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' }

/** Text that shows as itself inside of HTML, whatever it holds. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => ENTITIES[letter]!)
}

/** An element's style attribute, or none: viewers that show static HTML alone drop styles, or show them as text. */
export type Style = (css: string) => string

export const styled: Style = (css) => ` style="${css}"`
export const unstyled: Style = () => ''
