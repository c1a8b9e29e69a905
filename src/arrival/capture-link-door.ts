/** `/capture/{secret}`: somebody without an account sends what a link allows, and sees nothing of the archive. */
import type { FastifyReply } from 'fastify'
import { ArchiveError } from '#errors.ts'
import type { Provenance } from '#model/arrival.ts'
import type { Asked, Route } from '#model/route.ts'
import { RetryLater } from '#security/accounts.ts'
import type { CaptureLinks, CaptureLinkView } from '#security/capture-links.ts'
import { type CaptureServices, captureDocument, submissionFor } from './capture-door.ts'
import { type CaptureFile, dropCaptures, takeCaptureForm } from './capture-files.ts'
import { capturedBy } from './capture-form.ts'
import {
  type CaptureOutcome,
  type CapturePage,
  formPage,
  gonePage,
  sendPage,
  sentPage,
  waitPage,
} from './capture-page.ts'

export interface CaptureLinkServices extends CaptureServices {
  readonly links: CaptureLinks
  siteName(): string
}

/** Files of one request, and requests of one link at a time. */
const FILES_MAX = 20
const AT_ONCE = 2
const NOTE_MAX = 1000
const FIELDS: ReadonlySet<string> = new Set(['note'])

export function captureLinkDoor(services: CaptureLinkServices): readonly Route[] {
  const { links } = services
  const busy = new Map<string, number>()

  const pageOf = ({ purpose, media, usesMax, uses, bytesMax, expiresAt }: CaptureLinkView): CapturePage => ({
    ...{ site: services.siteName(), purpose, media, left: Math.max(0, usesMax - uses), bytesMax, expiresAt },
  })

  /** The link of the path, else its answer: the same for every reason. */
  function opened(asked: Asked, reply: FastifyReply): CaptureLinkView | FastifyReply {
    const { secret = '' } = asked.params as { secret?: string }
    try {
      return links.open(secret, asked.address) ?? sendPage(reply, 404, gonePage(services.siteName()))
    } catch (error) {
      if (!(error instanceof RetryLater)) throw error
      reply.header('retry-after', '60')
      return sendPage(reply, 429, waitPage(services.siteName()))
    }
  }

  /** One file: a use is taken first, and given back when nothing came of it. */
  async function submitted(
    asked: Asked,
    link: CaptureLinkView,
    file: CaptureFile,
    note: string,
  ): Promise<CaptureOutcome> {
    if (!(await links.take(link.id))) {
      await dropCaptures([file])
      return 'not-taken'
    }
    const provenance: Provenance = {
      ...{ door: 'web', peer: `capture-link ${link.id}`, originator: null, address: asked.address, medium: null },
      ...{ user: `capture-link ${link.id}`, path: file.label, time: new Date().toISOString() },
    }
    // Owner and all else are the link's; of the uploader there is a note.
    const capture = capturedBy({ ...link.about, ...(note === '' ? {} : { comments: note }) })
    const document = captureDocument(file, capture, provenance, services.values())
    const receipt = await services.desk.submit(submissionFor([document]))
    if (receipt.is === 'kept') return 'received'
    if (receipt.receipts.some((one) => one.receipt.quarantineId !== null)) return 'being-checked'
    await links.giveBack(link.id)
    return 'not-taken'
  }

  async function sent(asked: Asked, reply: FastifyReply, link: CaptureLinkView): Promise<FastifyReply> {
    const limits = {
      spoolDirectory: services.spoolDirectory,
      spool: { ...services.spool, bytesMax: Math.min(link.bytesMax, services.spool.bytesMax ?? link.bytesMax) },
      filesMax: Math.min(FILES_MAX, link.usesMax - link.uses),
      media: link.media,
    }
    let taken: Awaited<ReturnType<typeof takeCaptureForm>>
    try {
      taken = await takeCaptureForm(asked, limits, FIELDS)
    } catch (error) {
      const told = error instanceof ArchiveError ? PROBLEMS[error.code] : undefined
      if (!(error instanceof ArchiveError) || told === undefined) throw error
      return sendPage(reply, told.status, formPage(pageOf(link), told.text))
    }
    if (taken.files.length === 0) return sendPage(reply, 400, formPage(pageOf(link), 'Please choose a file first.'))
    const note = (taken.fields.get('note') ?? '').trim().slice(0, NOTE_MAX)
    const outcomes: CaptureOutcome[] = []
    for (const file of taken.files) outcomes.push(await submitted(asked, link, file, note))
    const now = links.link(link.id) ?? link
    return sendPage(reply, outcomes.includes('not-taken') ? 422 : 200, sentPage(pageOf(now), outcomes))
  }

  const url = '/capture/:secret'
  const standard = 'Diptych pages; HTML Media Capture; RFC 7578'
  return [
    {
      ...{ method: 'GET', url, standard, needs: 'public' },
      describes: { summary: 'The page of a capture link, for a phone without an account.', answers: 'A page.' },
      async handle(asked, reply) {
        const link = opened(asked, reply)
        return 'id' in link && 'purpose' in link ? sendPage(reply, 200, formPage(pageOf(link))) : link
      },
    },
    {
      ...{ method: 'POST', url, standard, needs: 'public', body: 'stream' },
      describes: { summary: 'Sends photographs or films by a capture link, as a form.', answers: 'A page.' },
      async handle(asked, reply) {
        const link = opened(asked, reply)
        if (!('purpose' in link)) return link
        const running = busy.get(link.id) ?? 0
        if (running >= AT_ONCE) return sendPage(reply, 429, waitPage(services.siteName()))
        busy.set(link.id, running + 1)
        try {
          return await sent(asked, reply, link)
        } finally {
          const left = (busy.get(link.id) ?? 1) - 1
          if (left === 0) busy.delete(link.id)
          else busy.set(link.id, left)
        }
      },
    },
  ]
}

const PROBLEMS: { readonly [code: string]: { readonly status: number; readonly text: string } | undefined } = {
  'request.too-large': { status: 413, text: 'That was too much: a file is too large, or there are too many of them.' },
  'document.type': { status: 415, text: 'This is not a photograph or film this link takes.' },
  'request.malformed': { status: 400, text: 'Nothing could be read. Please try again.' },
}
