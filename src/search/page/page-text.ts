import { Readability } from '@mozilla/readability'
import { JSDOM, VirtualConsole } from 'jsdom'

/** What a page says. */
export interface PageText {
  title: string
  text: string
}

/** Between which text runs on. All other elements stand on lines of their own. */
const INLINE = new Set(
  'A ABBR ACRONYM B BDI BDO BIG CITE CODE DATA DEL DFN EM FONT I INS KBD LABEL MARK NOBR Q RP RT RUBY S SAMP SMALL SPAN STRIKE STRONG SUB SUP TIME TT U VAR WBR'.split(
    ' ',
  ),
)
/** What is no text to read. */
const SILENT = new Set('SCRIPT STYLE TEMPLATE NOSCRIPT SVG MATH IFRAME OBJECT CANVAS HEAD SELECT BUTTON'.split(' '))
const CELLS = new Set(['TD', 'TH'])

/**
 * The main text of a page, by Mozilla's Readability; all of its text where it finds no article. No script of the page runs, and
 * nothing that the page names is loaded.
 * @param contentType Its charset counts, then the page's own mark and words.
 */
export function pageText(bytes: Uint8Array, contentType: string): PageText {
  if (/^\s*text\/plain/i.test(contentType)) return { title: '', text: tidy(decode(bytes, contentType)) }
  const { document } = parse(bytes, contentType).window
  const whole = document.body ? textOf(document.body) : ''
  const article = new Readability(document, { serializer: (node) => textOf(node) }).parse()
  const title = (article?.title ?? document.title).replace(/\s+/g, ' ').trim()
  return { title, text: article?.content || whole }
}

function parse(bytes: Uint8Array, contentType: string): JSDOM {
  // What jsdom has to say about the page interests nobody.
  const options = { contentType: plainType(contentType), virtualConsole: new VirtualConsole() }
  try {
    return new JSDOM(bytes, options)
  } catch {
    // It stumbles over some charsets that there are not, such as `__proto__`, in the header and in the page.
    return new JSDOM(decode(bytes, contentType), options)
  }
}

/** jsdom takes types of HTML alone, and refuses what else a header may hold. */
function plainType(contentType: string): string {
  const charset = charsetOf(contentType)
  return `${/xhtml/i.test(contentType) ? 'application/xhtml+xml' : 'text/html'}${charset ? `; charset=${charset}` : ''}`
}

const charsetOf = (contentType: string): string | undefined => /charset\s*=\s*"?([\w.:-]+)/i.exec(contentType)?.[1]

function decode(bytes: Uint8Array, contentType: string): string {
  try {
    return new TextDecoder(charsetOf(contentType)).decode(bytes)
  } catch {
    return new TextDecoder().decode(bytes)
  }
}

function textOf(root: Node): string {
  const parts: string[] = []
  const visit = (node: Node): void => {
    if (node.nodeType === 3) parts.push((node.nodeValue ?? '').replace(/\s+/g, ' '))
    if (node.nodeType !== 1 || SILENT.has(node.nodeName.toUpperCase())) return
    const name = node.nodeName.toUpperCase()
    const around = INLINE.has(name) ? '' : CELLS.has(name) ? ' ' : '\n'
    parts.push(around)
    for (let child = node.firstChild; child; child = child.nextSibling) visit(child)
    parts.push(around)
  }
  visit(root)
  return tidy(parts.join(''))
}

/** Lines without blanks at their ends, and no empty ones. */
const tidy = (text: string): string =>
  text
    .replaceAll('\0', '')
    .split(/[\r\n]+/)
    .map((line) => line.replace(/[^\S\n]+/g, ' ').trim())
    .filter((line) => line !== '')
    .join('\n')
