import { JSDOM } from 'jsdom'
import { expect } from 'vitest'

const ELEMENTS = 'DIV B DETAILS SUMMARY PRE OL LI TABLE THEAD TBODY TR TH TD WBR IMG SPAN'.split(' ')
const ATTRIBUTES = ['style', 'title']

/** Checks that HTML is made of the package's own elements and attributes, whatever texts it shows. */
export function assertHarmless(html: string): Document {
  const { document } = new JSDOM(`<body>${html}</body>`).window
  for (const element of document.body.querySelectorAll('*')) {
    expect(ELEMENTS).toContain(element.tagName)
    const picture = element.tagName === 'IMG' ? ['alt', 'src'] : []
    const folded = element.tagName === 'DETAILS' ? ['open'] : []
    for (const { name } of element.attributes) expect([...ATTRIBUTES, ...picture, ...folded]).toContain(name)
    if (element.tagName === 'IMG') expect(element.getAttribute('src')).toMatch(/^data:image\/(png|svg\+xml);base64,/)
  }
  return document
}
