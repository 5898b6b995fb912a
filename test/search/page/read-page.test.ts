// Pages of a stand-in, and of those who want to be asked from inside.
import { deflateSync, gzipSync, brotliCompressSync } from 'node:zlib'
import fc from 'fast-check'
import { beforeAll, describe, expect, test } from 'vitest'
import { serpApiEngine } from '../../../src/search/google.js'
import { pageText } from '../../../src/search/page/page-text.js'
import { checkedLookup, isPublicAddress } from '../../../src/search/page/public-address.js'
import { readAllowedPage, readPage } from '../../../src/search/page/read-page.js'
import type { Page, ReadPageOptions } from '../../../src/search/page/read-page.js'
import { startServer } from '../../http/stand-in.js'
import type { StandIn } from '../../http/stand-in.js'

let server: StandIn
beforeAll(async () => {
  server = await startServer(() => undefined)
})

const anywhere = (): boolean => true
const read = (path = '/', options: ReadPageOptions = {}): Promise<Page> =>
  readAllowedPage(server.url + path, options, anywhere)

/** Answers every request so. */
function answer(body: string | Buffer, headers: Record<string, string> = {}, status = 200): void {
  server.received.length = 0
  server.answer = (_, response) =>
    void response.writeHead(status, { 'content-type': 'text/html; charset=utf-8', ...headers }).end(body)
}

const paragraph = 'Lima is the capital and the largest city of Peru, on the coast of the Pacific. '.repeat(4)
const ARTICLE = `<!doctype html><html><head><title>Lima &amp; Peru</title><style>p { color: red }</style></head><body>
<nav><a href="/a">Home</a> <a href="/b">Shop</a></nav>
<article><h1>Lima &amp; Peru</h1><p>${paragraph}</p><p>Its <b>port</b> is <i>Callao</i>.${'<span> More.</span>'.repeat(30)}</p>
<table><tr><td>People</td><td>10 million</td></tr></table><script>document.title = 'run'; document.body.remove()</script>
<img src="http://127.0.0.1:1/x.png" onerror="process.exit(1)"><iframe src="http://127.0.0.1:1/"></iframe></article>
<footer>Cookies</footer></body></html>`

describe('a page', () => {
  test('is its main text, a line for each paragraph, with its title', async () => {
    answer(ARTICLE)
    const { url, title, text } = await read('/wiki')
    expect([url, title]).toEqual([`${server.url}/wiki`, 'Lima & Peru'])
    const lines = text.split('\n')
    expect(lines).toContain(paragraph.trim())
    expect(lines.some((line) => line.startsWith('Its port is Callao. More.'))).toBe(true)
    expect(text).toContain('People 10 million')
    expect(text).not.toMatch(/color: red|Home|Cookies|document\.title/)
    // The page alone was asked for: nothing that it names.
    expect(server.received.map(({ path }) => path)).toEqual(['/wiki'])
    expect(server.received[0]!.headers['cookie']).toBeUndefined()
  })

  test('that is no article is all of its text', async () => {
    answer('<title>T</title><p>one</p><div>two<br>three</div><script>no</script>')
    expect(await read()).toMatchObject({ title: 'T', text: 'one\ntwo\nthree' })
    answer('')
    expect(await read()).toMatchObject({ title: '', text: '' })
    answer('just\n\n  words', { 'content-type': 'text/plain' })
    expect(await read()).toMatchObject({ title: '', text: 'just\nwords' })
  })

  test.each([
    ['the header', 'text/html; charset=windows-1252', ''],
    ['the page', 'text/html', '<meta charset="windows-1252">'],
    ['the header, in quotes', 'text/html; charset="ISO-8859-1"; x=y', '<meta charset="utf-8">'],
    ['the header of a plain text', 'text/plain; charset=latin1', ''],
  ])('is in the charset that %s names', async (_, type, meta) => {
    answer(Buffer.from(`${meta}<p>caf\xe9`, 'latin1'), { 'content-type': type })
    expect((await read()).text).toContain('café')
  })

  test('in an unknown charset, or of broken HTML, is read as far as it can be', async () => {
    answer('<p>a', { 'content-type': 'text/html; charset=klingon' })
    expect((await read()).text).toBe('a')
    answer('a', { 'content-type': 'text/plain; charset=klingon' })
    expect((await read()).text).toBe('a')
    answer('<p>a', { 'content-type': 'text/html; charset=__proto__' })
    expect((await read()).text).toBe('a')
    answer('<meta charset="__proto__"><p>a', { 'content-type': 'text/html' })
    expect((await read()).text).toBe('a')
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), fc.string(), (html, type) => {
        expect(typeof pageText(Buffer.from(html), `text/html; charset=${type}`).text).toBe('string')
      }),
      { numRuns: 40 },
    )
  })

  test.each([
    ['gzip', gzipSync],
    ['deflate', deflateSync],
    ['br', brotliCompressSync],
  ])('is unpacked from %s, within the same limit', async (encoding, pack) => {
    answer(pack('<p>packed'), { 'content-encoding': encoding })
    expect((await read()).text).toBe('packed')
    answer(pack(Buffer.alloc(50_000_000, 'x')), { 'content-encoding': encoding })
    await expect(read()).rejects.toThrow('it has more than 4194304 bytes (maxBytes)')
    answer('not packed', { 'content-encoding': encoding })
    await expect(read()).rejects.toThrow('read page http://127.0.0.1')
  })

  test('is cut between words', async () => {
    answer(`<p>${'word 😀 '.repeat(100)}`)
    expect((await read('/', { maxCharacters: 12 })).text).toBe('word 😀 word')
    expect((await read('/', { maxCharacters: 11 })).text).toBe('word 😀')
    answer(`<p>${'😀'.repeat(100)}`)
    expect((await read('/', { maxCharacters: 5 })).text).toBe('😀😀')
  })
})

describe('what is no page', () => {
  test.each([
    [{ 'content-type': 'application/pdf' }, 200, 'it must be HTML or plain text, is application/pdf'],
    [{}, 404, 'the server answered 404 Not Found'],
    [{ location: 'ftp://x/' }, 302, 'an address must begin with http:// or https://, got ftp:'],
    [{ location: 'file:///etc/passwd' }, 302, 'got file:'],
    [{ location: 'http://' }, 302, '"http://" is no address'],
    [{ location: '/again' }, 301, 'it redirects more than 5 times'],
    [{ 'content-encoding': 'zstd' }, 200, 'it is packed in an unknown way (zstd)'],
  ])('is refused by name: %j', async (headers, status, message) => {
    answer('x', headers, status)
    await expect(read()).rejects.toThrow(message)
  })

  test('is refused when it does not come, comes slowly, or is too large', async () => {
    server.answer = () => undefined
    await expect(read('/', { timeoutMs: 100 })).rejects.toThrow('it did not come in 0.1 s')
    server.answer = (_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' })
      const timer = setInterval(() => response.write('x'), 20)
      response.once('close', () => clearInterval(timer))
    }
    await expect(read('/', { timeoutMs: 200 })).rejects.toThrow('it did not come in 0.2 s')
    answer('x'.repeat(2000))
    await expect(read('/', { maxBytes: 1000 })).rejects.toThrow('more than 1000 bytes')
    server.answer = (_, response) => void response.socket!.destroy()
    await expect(read()).rejects.toThrow('read page')
    const controller = new AbortController()
    server.answer = () => controller.abort(new Error('stopped'))
    await expect(read('/', { signal: controller.signal })).rejects.toThrow('stopped')
  })

  test('is given up where it is made to be slow, and the next one is read', async () => {
    answer('<div>'.repeat(400_000))
    await expect(read('/', { timeoutMs: 1500 })).rejects.toThrow(/could not be read in 1.5 s|cannot be read/)
    answer('<p>fine')
    expect((await read()).text).toBe('fine')
  })

  test('or no option is refused', async () => {
    await expect(readPage('http://x/', { maxBytes: 0 })).rejects.toThrow(
      'read page: maxBytes must be at least 1, got 0',
    )
    await expect(readPage(7 as never)).rejects.toThrow('read page: url must be a text')
    await expect(readPage('javascript:alert(1)')).rejects.toThrow('got javascript:')
  })
})

describe('addresses that are not of the open internet', () => {
  test.each([
    ...[
      '127.0.0.1',
      '10.1.2.3',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '169.254.169.254',
      '100.64.0.1',
      '0.0.0.0',
    ],
    ...[
      '224.0.0.1',
      '255.255.255.255',
      '192.0.2.1',
      '198.18.0.1',
      '::1',
      '::',
      'fe80::1',
      'fe80::1%eth0',
      'fc00::1',
      'fd12::1',
    ],
    ...[
      'ff02::1',
      '::ffff:127.0.0.1',
      '::ffff:8.8.8.8',
      '::ffff:a9fe:a9fe',
      '64:ff9b::a9fe:a9fe',
      '2002:7f00:1::',
      '2001:db8::1',
    ],
    ...['2001::1', '::127.0.0.1', 'localhost', '', '8.8.8', '1'],
  ])('%s is one', (address) => expect(isPublicAddress(address)).toBe(false))

  test.each(['8.8.8.8', '1.1.1.1', '172.15.0.1', '172.32.0.1', '100.128.0.1', '2606:4700::1111', '2a00:1450::1'])(
    '%s is none',
    (address) => expect(isPublicAddress(address)).toBe(true),
  )

  test.each([
    ...['127.0.0.1', 'localhost', '0x7f.1', '2130706433', '127.1', '[::1]', '[::ffff:127.0.0.1]', '0', 'LOCALHOST.'],
    ...['169.254.169.254', '[::ffff:a9fe:a9fe]', '017700000001'],
  ])('http://%s is not asked', async (host) => {
    server.received.length = 0
    const port = new URL(server.url).port
    await expect(readPage(`http://${host}:${port}/`)).rejects.toThrow(
      /no address of the open internet|ENOTFOUND|EAI_AGAIN/,
    )
    expect(server.received).toEqual([])
  })

  test('are not asked after a redirect either', async () => {
    const port = new URL(server.url).port
    for (const location of [
      `http://127.0.0.2:${port}/secret`,
      `//127.0.0.2:${port}/secret`,
      `http://[::1]:${port}/secret`,
    ]) {
      answer('x', { location }, 302)
      const once = (address: string): boolean => address === '127.0.0.1'
      await expect(readAllowedPage(`${server.url}/start`, {}, once)).rejects.toThrow(
        'is no address of the open internet',
      )
      expect(server.received.map(({ path }) => path)).toEqual(['/start'])
    }
  })

  test('are not asked under a name, where any of its addresses is one', async () => {
    const found = await new Promise((resolve) =>
      checkedLookup((address) => address !== '127.0.0.1')('localhost', { all: true }, (error) => resolve(error)),
    )
    expect(String(found)).toContain('localhost (127.0.0.1) is no address of the open internet')
  })

  test('passwords in an address are not sent', async () => {
    answer('<p>x')
    const { url } = await readAllowedPage(server.url.replace('//', '//user:planted@'), {}, anywhere)
    expect(url).not.toContain('planted')
    expect(server.received[0]!.headers['authorization']).toBeUndefined()
  })
})

test('an engine reads the pages of its results; the snippet stays where one cannot be read', async () => {
  const links = ['/good', '/gone', '/blank'].map((path) => server.url + path)
  server.answer = ({ path }, response) => {
    if (path === '/search.json')
      return { organic_results: links.map((link, i) => ({ title: `t${i}`, link, snippet: `snippet ${i}` })) }
    if (path === '/gone') return void response.writeHead(404).end()
    response
      .writeHead(200, { 'content-type': 'text/html' })
      .end(path === '/good' ? '<title>Full</title><p>whole page' : '')
    return undefined
  }
  const engine = (readPages: boolean | ((url: string, options: ReadPageOptions) => Promise<Page>)) =>
    serpApiEngine({ baseUrl: server.url, apiKey: 'key', readPages, retries: 0 })
  const question = { id: 'd-0', dataset: 'd', question: '?', goldAnswers: ['a'] }
  const found = await engine((url, options) => readAllowedPage(url, options, anywhere)).search('q', {
    question,
    topK: 3,
  })
  expect(found).toEqual([
    { title: 'Full', text: 'whole page', rank: 1, metadata: { url: links[0] } },
    {
      title: 't1',
      text: 'snippet 1',
      rank: 2,
      metadata: { url: links[1], unreadPage: expect.stringContaining('404') as string },
    },
    { title: 't2', text: 'snippet 2', rank: 3, metadata: { url: links[2], unreadPage: 'it has no text' } },
  ])
  const refused = await engine(true).search('q', { question, topK: 3 })
  expect(refused.map(({ text }) => text)).toEqual(['snippet 0', 'snippet 1', 'snippet 2'])
  expect(refused[0]!.metadata!['unreadPage']).toContain('no address of the open internet')
  expect(() => engine('yes' as never)).toThrow('serpapi: readPages must be true, false or a function')
})
