import { z } from 'zod'
import { captureAbout } from '#arrival/capture-form.ts'
import { ArchiveError } from '#errors.ts'
import { CAPTURE_MEDIA, type CaptureCause } from '#model/capture-link.ts'
import type { Asked, Route } from '#model/route.ts'
import type { CaptureLinks, CaptureLinkView, NewCaptureLink } from '#security/capture-links.ts'
import { bodyAsked, jsonSchema, LIST_SCHEMA, listAnswer, pathParameter } from './ask.ts'

const MIB = 1024 * 1024

/** A link as it is asked for; `fit` says why it cannot be. */
export const newCaptureLink = captureAbout
  .extend({
    purpose: z.string('a purpose is required').trim().min(1, 'a purpose is required').max(500),
    media: z.array(z.enum(CAPTURE_MEDIA)).min(1).max(2).default(['photo']),
    expires: z.string().max(10).default('7d'),
    count: z.int().min(1).max(100).default(5),
    /** Of one file, in bytes. */
    maxSize: z
      .int()
      .min(1024)
      .max(4096 * MIB)
      .default(50 * MIB),
  })
  .refine(({ patient, studyInstanceUid }) => patient !== undefined || studyInstanceUid !== undefined, {
    message: 'a link is for a patient: patient or studyInstanceUid',
  })

/** What is asked for as CaptureLinks takes it. */
export function captureLinkOf(given: z.output<typeof newCaptureLink>): NewCaptureLink {
  const { purpose, media, expires, count, maxSize: bytesMax, ...about } = given
  return { purpose, media: [...new Set(media)], expires, count, bytesMax, about }
}

/** A link as it is shown: never its secret. */
export function captureLinkView({ bytesMax, usesMax, uses, ...link }: CaptureLinkView): object {
  return { ...link, maxSize: bytesMax, count: usesMax, used: uses }
}

const LINK = {
  type: 'object',
  properties: Object.fromEntries(
    [
      ...['id', 'purpose', 'media', 'maxSize', 'count', 'used', 'state', 'about', 'createdAt', 'createdBy'],
      ...['expiresAt', 'revokedAt', 'lastUsedAt', 'url'],
    ].map((name) => [name, {}]),
  ),
}

/** Links for patients and colleagues without an account. */
export function captureLinkRoutes(links: CaptureLinks): readonly Route[] {
  const standard = 'Diptych API v1, Captures'
  const needs = 'capture.link'
  const cause = ({ subject, address }: Asked): CaptureCause => ({ by: subject.name, address })
  return [
    {
      ...{ method: 'POST', url: '/api/v1/capture-links', standard, needs, body: 'json' },
      describes: {
        summary:
          'Makes a link by which somebody without an account sends photographs or films of a patient. Its address is shown once.',
        request: jsonSchema(newCaptureLink),
        response: LINK,
        status: 201,
        example: { purpose: 'Your wound, three days after', patient: { id: '4711', issuer: 'HOSP' }, count: 3 },
      },
      async handle(asked, reply) {
        const { text, view } = await links.create(captureLinkOf(bodyAsked(asked, newCaptureLink)), cause(asked))
        reply.code(201).header('location', `/api/v1/capture-links/${view.id}`)
        return { ...captureLinkView(view), url: `${asked.baseUrl}/capture/${text}` }
      },
    },
    {
      ...{ method: 'GET', url: '/api/v1/capture-links', standard, needs },
      describes: { summary: 'Capture links, newest first, without their secrets.', response: LIST_SCHEMA },
      async handle() {
        const items = links.list().map(captureLinkView)
        return listAnswer(items, null, items.length)
      },
    },
    {
      ...{ method: 'GET', url: '/api/v1/capture-links/:id', standard, needs },
      describes: { summary: 'A capture link: what it is for, how often it was used.', response: LINK },
      async handle(asked) {
        const link = links.link(pathParameter(asked, 'id'))
        if (link === undefined) throw new ArchiveError('request.not-found', 'capture link')
        return captureLinkView(link)
      },
    },
    {
      ...{ method: 'POST', url: '/api/v1/capture-links/:id/revoke', standard, needs },
      describes: { summary: 'Ends a capture link at once.', response: LINK },
      handle: async (asked) => captureLinkView(await links.revoke(pathParameter(asked, 'id'), cause(asked))),
    },
  ]
}
