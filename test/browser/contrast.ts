import type { Locator } from 'playwright-core'

/** Least contrast (WCAG 2: 1 to 21) of the text in the outputs against what is painted behind it, and where it is (empty: there is no text). */
export const leastContrast = (outputs: Locator): Promise<{ contrast: number; where: string }> =>
  outputs.evaluateAll((parts) => {
    interface Node {
      parentElement: Node | null
      childNodes: Iterable<{ nodeType: number; textContent: string | null }>
      querySelectorAll(selector: string): Iterable<Node>
      closest(selector: string): Node | null
      checkVisibility(): boolean
    }
    const { getComputedStyle: style } = globalThis as unknown as {
      getComputedStyle: (node: Node) => Record<string, string>
    }
    const channels = (colour: string): number[] => (colour.match(/[\d.]+/g) ?? []).map(Number)
    const luminance = (colour: string): number => {
      const [r, g, b] = channels(colour).map((c) =>
        c / 255 <= 0.04045 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4,
      )
      return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!
    }
    const behind = (node: Node | null): string => {
      if (!node) return 'rgb(255, 255, 255)'
      const colour = style(node)['backgroundColor']!
      const alpha = channels(colour)[3] ?? 1
      return alpha > 0.5 ? colour : behind(node.parentElement)
    }
    let least = { contrast: 21, where: '' }
    for (const part of parts as unknown as Node[]) {
      for (const node of part.querySelectorAll('*')) {
        const text = [...node.childNodes]
          .filter(({ nodeType }) => nodeType === 3)
          .map((t) => t.textContent)
          .join('')
          .trim()
        // Text of a picture is painted by `fill`, on paper of its own.
        if (text === '' || node.closest('svg, style, .jp-OutputPrompt') || !node.checkVisibility()) continue
        const [light, dark] = [luminance(style(node)['color']!), luminance(behind(node))].sort((a, b) => b - a)
        const contrast = (light! + 0.05) / (dark! + 0.05)
        if (contrast < least.contrast) least = { contrast, where: text.slice(0, 60) }
      }
    }
    return least
  })
