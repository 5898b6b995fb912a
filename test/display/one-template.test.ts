// HTML is made in one way: the template `html`, which escapes what is put in. No other string or template holds markup.
import { readdirSync, readFileSync } from 'node:fs'
import ts from 'typescript'
import { expect, it } from 'vitest'
import { html, isHtml } from '../../src/display/html.js'

const MARKUP = /<\/?[a-z!]|&(lt|gt|amp|quot);/i

/** Strings with markup that are not parts of the template. */
function strayMarkup(path: string, text = readFileSync(path, 'utf8')): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true)
  const found: string[] = []
  const visit = (node: ts.Node): void => {
    if (ts.isStringLiteralLike(node) || ts.isTemplateHead(node) || ts.isTemplateMiddleOrTemplateTail(node)) {
      const template = ts.isStringLiteralLike(node)
        ? node
        : node.parent.kind === ts.SyntaxKind.TemplateSpan
          ? node.parent.parent
          : node.parent
      const tagged = ts.isTaggedTemplateExpression(template.parent) && template.parent.tag.getText() === 'html'
      if (!tagged && MARKUP.test(node.text)) found.push(`${path}: ${node.text.slice(0, 60)}`)
    }
    ts.forEachChild(node, visit)
  }
  visit(source)
  return found
}

const files = (folder: string): string[] =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .map((name) => `${folder}/${name}`)

it('no string of display and widget holds markup outside of the template', () => {
  const all = [...files('src/display'), ...files('src/widget')]
  expect(all.length).toBeGreaterThan(15)
  // The table of escapes itself.
  expect(all.flatMap((path) => strayMarkup(path)).filter((found) => !/html\.ts: &\w+;$/.test(found))).toEqual([])
})

it('the search finds markup that is joined by hand', () => {
  for (const code of ['`<b>${a}</b>`', "'<b>' + a", 'other`<b>${a}`', 'html`<b>${`<i>${a}</i>`}</b>`', '`${a}</td>`'])
    expect(strayMarkup('made.ts', code), code).not.toEqual([])
  expect(strayMarkup('made.ts', 'html`<b>${html`<i>${a}</i>`}</b>`; a < b')).toEqual([])
})

it('only display makes outputs of HTML, and only what the user gives explicitly is vouched for', () => {
  const src = files('src')
  const holding = (text: string): string[] => src.filter((path) => readFileSync(path, 'utf8').includes(text))
  // The client of servers knows a page of HTML where JSON was asked for; the page reader reads pages.
  const elsewhere = holding('text/html').filter((path) => !path.startsWith('src/display/'))
  expect(elsewhere).toEqual([
    'src/http/fetch-checked.ts',
    'src/search/page/fetch-page.ts',
    'src/search/page/page-text.ts',
  ])
  expect(holding('vouchedHtml(')).toEqual(['src/display/explicit.ts'])
})

it('the template escapes every value but its own', () => {
  const values = ['<b>', 5, 5n, true, ['<i>', html`<u>${'&'}</u>`], { toString: () => '<s>' }, Symbol('<p>')]
  expect(String(html`${values}`)).toBe(
    '&lt;b&gt;55ntrue&lt;i&gt;<u>&amp;</u>{ toString: [Function: toString] }Symbol(&lt;p&gt;)',
  )
  expect(String(html`<a title="${`" onclick='x'`}">${null}${undefined}</a>`)).toBe(
    '<a title="&quot; onclick=&#39;x&#39;"></a>',
  )
})

it('nothing that was read from a file passes for markup', () => {
  const like = JSON.parse('{"text": "<b>", "markup": "<b>"}') as object
  const heir = Object.create(html`<b></b>`) as object
  for (const value of [like, heir, { ...html`<b></b>` }, String(html`<b></b>`)]) {
    expect(isHtml(value)).toBe(false)
    expect(String(html`${value}`)).not.toContain('<b>')
  }
})
