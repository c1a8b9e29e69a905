import { z } from 'zod'
import { captureLinkOf, captureLinkView, newCaptureLink } from '#access/desk/capture-link-routes.ts'
import type { Config } from '#config.ts'
import { type ArchiveCommand, action, needed, operand, text, texts, UsageError, wholeNumber } from '../command.ts'

const LOCAL = { by: 'local', address: null } as const

export const captureLinkCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'capture-link',
  summary: 'Links by which patients send photographs and films',
  operands: 'create | list | revoke ID',
  flags: {
    purpose: { type: 'string', value: 'TEXT', about: 'what it is for; shown to whoever opens it' },
    patient: { type: 'string', value: 'ID', about: 'whose photographs they are' },
    issuer: { type: 'string', value: 'ISSUER', about: 'issuer of the patient identifier' },
    study: { type: 'string', value: 'UID', about: 'or the study they belong to' },
    encounter: { type: 'string', value: 'NUMBER', about: 'of the visit' },
    order: { type: 'string', value: 'NUMBER', about: 'accession number' },
    'body-part': { type: 'string', value: 'CODE', about: 'a code of the site, or system|code' },
    laterality: { type: 'string', value: 'SIDE', about: 'left, right or both' },
    department: { type: 'string', value: 'NAME', about: 'by its local name' },
    media: { type: 'string', value: 'KIND', multiple: true, about: 'photo, video (photo)' },
    expires: { type: 'string', value: 'TIME', about: 'time to live, e.g. 24h, 7d; at most 90d (7d)' },
    count: { type: 'string', value: 'N', about: 'files that may be sent (5)' },
    'max-size': { type: 'string', value: 'MIB', about: 'of one file (50)' },
  },
  operandCount: [1, 2],
  more: 'create prints the address and nothing else; its secret is kept nowhere and shown once.',
  async run({ captureLinks, config }, given, emit) {
    switch (action(given, ['create', 'list', 'revoke'])) {
      case 'create': {
        const [patient, media] = [text(given, 'patient'), texts(given, 'media')]
        const asked = Object.entries({
          purpose: needed(given, 'purpose'),
          patient: patient === undefined ? undefined : { id: patient, issuer: text(given, 'issuer') ?? '' },
          ...{ studyInstanceUid: text(given, 'study'), encounter: text(given, 'encounter') },
          ...{ order: text(given, 'order'), bodyPart: text(given, 'body-part') },
          ...{ laterality: text(given, 'laterality'), department: text(given, 'department') },
          ...{ media: media.length === 0 ? undefined : media, expires: text(given, 'expires') },
          count: wholeNumber(given, 'count', 5, 1),
          maxSize: wholeNumber(given, 'max-size', 50, 1) * 1024 * 1024,
        }).filter(([, value]) => value !== undefined)
        const checked = newCaptureLink.safeParse(Object.fromEntries(asked))
        if (!checked.success) throw new UsageError(z.prettifyError(checked.error))
        const { text: secret, view } = await captureLinks.create(captureLinkOf(checked.data), LOCAL)
        const url = `${baseOf(config)}/capture/${secret}`
        if (config.http.publicBaseUrl === undefined) {
          await emit({ note: 'http.publicBaseUrl is not set: put the name phones know this archive by in front.' })
        }
        await emit({ json: { ...captureLinkView(view), url }, text: url })
        return 0
      }
      case 'list': {
        for (const link of captureLinks.list()) {
          const { id, state, uses, usesMax, expiresAt, purpose } = link
          await emit({
            json: captureLinkView(link),
            text: `${id}  ${state.padEnd(8)} ${`${uses}/${usesMax}`.padEnd(7)} ${expiresAt}  ${purpose}`,
          })
        }
        return 0
      }
      case 'revoke': {
        const view = await captureLinks.revoke(operand(given, 1, 'the id of the link'), LOCAL)
        await emit({ json: captureLinkView(view), text: `${view.id} ${view.state}` })
        return 0
      }
    }
  },
}

function baseOf({ http }: Config): string {
  if (http.publicBaseUrl !== undefined) return http.publicBaseUrl
  const host = http.host.includes(':') ? `[${http.host}]` : http.host
  return http.port === 'off' || http.port === 0 ? `http://${host}` : `http://${host}:${http.port}`
}
