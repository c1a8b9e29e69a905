/** The page behind a capture link: server-made, inert, usable on a phone without script. */
import type { FastifyReply } from 'fastify'
import type { CaptureMedium } from '#model/capture-link.ts'

/** What a link lets somebody do, as far as it is shown. Nothing of the patient: whoever has the link may be anybody. */
export interface CapturePage {
  readonly site: string
  readonly purpose: string
  readonly media: readonly CaptureMedium[]
  readonly left: number
  readonly bytesMax: number
  /** ISO 8601. */
  readonly expiresAt: string
}

/** What became of one file, in words for whoever sent it. */
export type CaptureOutcome = 'received' | 'being-checked' | 'not-taken'

const TEXTS: { readonly [outcome in CaptureOutcome]: string } = {
  received: 'Received. Thank you.',
  'being-checked': 'Received, is being checked.',
  'not-taken': 'Not taken. Please send a photograph or film as the camera made it.',
}

/** Nothing runs, nothing is fetched but our own sheet, and the form goes only here. */
const POLICY =
  "default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'"

const ESCAPES: { readonly [character: string]: string } = {
  ...{ '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;', "'": '&#39;' },
}

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ESCAPES[character] ?? character)
}

function page(site: string, title: string, body: string): string {
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <meta name="color-scheme" content="light dark">
    <meta name="robots" content="noindex">
    <title>${escaped(title)}</title>
    <link rel="icon" href="/page/logo.svg" type="image/svg+xml">
    <link rel="stylesheet" href="/page/style.css">
    <link rel="stylesheet" href="/page/capture.css">
  </head>
  <body class="capture">
    <header class="capture-top"><img src="/page/logo.svg" alt="" width="30" height="30"><span>${escaped(site)}</span></header>
    <main>${body}</main>
  </body>
</html>
`
}

function size(bytes: number): string {
  return bytes >= 1024 ** 3 ? `${Math.floor(bytes / 1024 ** 3)} GB` : `${Math.max(1, Math.floor(bytes / 1024 ** 2))} MB`
}

const day = (instant: string) => `${instant.slice(0, 10)} ${instant.slice(11, 16)} UTC`

/** The form: a file from the camera or from what the phone keeps, and words to whoever treats. */
export function formPage(link: CapturePage, problem: string | null = null): string {
  const { site, purpose, media, left, bytesMax, expiresAt } = link
  const photo = media.includes('photo')
  const film = media.includes('video')
  const accept = [...(photo ? ['image/*'] : []), ...(film ? ['video/*'] : [])].join(',')
  const what = photo && film ? 'photographs or films' : photo ? 'photographs' : 'films'
  const many = left > 1 ? ' multiple' : ''
  const camera = (label: string, kind: string, id: string) =>
    `<label class="capture-pick" for="${id}"><strong>${label}</strong><input id="${id}" type="file" name="file" accept="${kind}" capture="environment"></label>`
  return page(
    site,
    `Send ${what}`,
    `
      <h1>Send ${what}</h1>
      <p class="capture-purpose">${escaped(purpose)}</p>
      ${problem === null ? '' : `<p class="capture-problem" role="alert">${escaped(problem)}</p>`}
      <form class="card" method="post" enctype="multipart/form-data" accept-charset="utf-8">
        ${photo ? camera('Take a photograph', 'image/*', 'camera') : ''}
        ${film ? camera('Make a film', 'video/*', 'film') : ''}
        <label class="capture-pick" for="kept"><strong>Choose from this device</strong><input id="kept" type="file" name="file" accept="${accept}"${many}></label>
        <label class="capture-note" for="note">Anything to add (not needed)<textarea id="note" name="note" rows="3" maxlength="1000" autocomplete="off"></textarea></label>
        <button class="button primary capture-send" type="submit">Send</button>
      </form>
      <p class="quiet small">${left === 1 ? 'One file' : `Up to ${left} files`}, each of at most ${size(bytesMax)}. This link works until ${escaped(day(expiresAt))}.</p>`,
  )
}

/** What became of what was sent. */
export function sentPage(link: CapturePage, outcomes: readonly CaptureOutcome[]): string {
  const items = outcomes.map(
    (outcome, index) =>
      `<li class="capture-${outcome}">${outcomes.length > 1 ? `File ${index + 1}: ` : ''}${TEXTS[outcome]}</li>`,
  )
  const again =
    link.left === 0
      ? '<p class="quiet">You can close this page.</p>'
      : `<p><a class="button" href="">Send more (${link.left} left)</a></p>`
  return page(link.site, 'Sent', `<h1>Sent</h1><ul class="card capture-told">${items.join('')}</ul>${again}`)
}

/** The same for a link that is over, revoked, used up, or never was. */
export function gonePage(site: string): string {
  return page(
    site,
    'This link does not work',
    '<h1>This link does not work</h1><p>It may have been used already, or its time is over. Ask whoever gave it to you for another one.</p>',
  )
}

export function waitPage(site: string): string {
  return page(site, 'Please wait', '<h1>Please wait</h1><p>Too many tries. Please try again in a minute.</p>')
}

/** Sends a page that is kept nowhere and tells its address to nobody. */
export function sendPage(reply: FastifyReply, status: number, html: string): FastifyReply {
  return reply
    .code(status)
    .headers({
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Security-Policy': POLICY,
      'Referrer-Policy': 'no-referrer',
      'Cache-Control': 'no-store',
      'X-Robots-Tag': 'noindex',
    })
    .send(Buffer.from(html))
}
