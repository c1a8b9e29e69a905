import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Route } from '#model/route.ts'
import { listOf, shape } from '#model/route-schema.ts'
import type { Originator } from '#model/settings.ts'
import type { SettingVersion } from '#security/ports.ts'
import { originatorBody, type SiteFile, siteFileBody } from '#security/site-settings.ts'
import { bodyAsked, jsonSchema, listAnswer, pageAsked, pathParameter } from './ask.ts'
import { registerRoutes } from './register-routes.ts'
import type { DeskServices } from './services.ts'

const changes = z.record(z.string().min(1).max(100), z.unknown())

const SETTING = shape<{ key: string; value: unknown; fallback: unknown; set: boolean; what: string }>(
  ...(['key', 'value', 'fallback', 'set', 'what'] as const),
)
const ORIGINATOR = shape<Originator>(
  ...(['name', 'kind', 'addresses', 'aeTitles', 'certificates', 'accounts', 'trust', 'attestation', 'issuer'] as const),
  ...(['timeZone', 'department', 'specialty', 'facilityType?', 'confidentiality?', 'language?', 'rules'] as const),
  ...(['privateElements', 'tiffSopClasses', 'hl7Senders', 'zSegments', 'coercion', 'fhirExtensions?'] as const),
)

/** Site settings and the register of originators. */
export function settingsRoutes({ settings, pageMax }: DeskServices): readonly Route[] {
  const standard = 'Diptych pages'
  return [
    {
      method: 'GET',
      url: '/api/v1/settings',
      standard,
      needs: 'settings.read',
      describes: {
        summary: 'Every setting with its value, its default, and what it does.',
        response: listOf(SETTING, { version: {} }),
      },
      async handle(asked) {
        pageAsked(asked, pageMax, [])
        const items = settings.all()
        return { ...listAnswer(items, null, items.length), version: settings.version() }
      },
    },
    {
      method: 'POST',
      url: '/api/v1/settings',
      standard,
      needs: 'settings.write',
      body: 'json',
      describes: {
        summary: 'Sets values by key; null sets one back to its default. All or nothing.',
        request: jsonSchema(changes),
        response: shape<{ items: unknown; version: number }>('items', 'version'),
        example: { 'site.name': 'St. Elsewhere', 'quarantine.retentionDays': 90, 'site.timeZone': null },
      },
      async handle(asked) {
        const given = bodyAsked(asked, changes)
        if (Object.keys(given).length === 0) throw new ArchiveError('request.malformed', 'body: nothing to set')
        await settings.change(given, asked.subject.name, asked.address)
        return { items: settings.all().filter(({ key }) => key in given), version: settings.version() }
      },
    },
    {
      method: 'GET',
      url: '/api/v1/settings/:key/history',
      standard,
      needs: 'settings.read',
      describes: {
        summary: 'Every value a setting has had, newest first.',
        response: listOf(shape<SettingVersion>('version', 'key', 'value', 'by', 'time')),
      },
      async handle(asked) {
        const key = pathParameter(asked, 'key')
        if (!settings.all().some((setting) => setting.key === key))
          throw new ArchiveError('request.not-found', 'setting')
        return listAnswer(settings.history(key), null)
      },
    },
    {
      method: 'GET',
      url: '/api/v1/settings/export',
      standard,
      needs: 'settings.read',
      describes: {
        summary: 'Settings, originators and peers as one file.',
        response: shape<SiteFile>('format', 'settings', 'originators', 'peers'),
      },
      handle: async (_asked, reply) =>
        reply.header('content-disposition', 'attachment; filename="diptych-settings.json"').send(settings.export()),
    },
    {
      method: 'POST',
      url: '/api/v1/settings/import',
      standard,
      needs: 'settings.write',
      body: 'json',
      describes: {
        summary: 'Takes such a file: all of it, or nothing.',
        request: jsonSchema(siteFileBody),
        response: shape<SiteFile>('settings', 'originators', 'peers'),
        example: { format: 1, settings: { 'site.name': 'St. Elsewhere' }, originators: [], peers: [] },
      },
      handle: async (asked) => settings.import(asked.body, asked.subject.name, asked.address),
    },
    ...registerRoutes(
      {
        ...{ url: '/api/v1/originators', parameter: 'name', entry: 'originator', needs: 'originator.write' },
        lists: 'Who may send what by which door.',
        ...{ body: originatorBody, shape: ORIGINATOR },
        example: {
          name: 'CT 1',
          kind: 'modality',
          aeTitles: ['CT1'],
          addresses: ['10.0.0.5'],
          rules: { P8: 'quarantine' },
        },
        all: () => settings.originators(),
        get: (name) => settings.originator(name),
        nameOf: ({ name }) => name,
        put: (...given) => settings.putOriginator(...given),
        remove: (...given) => settings.removeOriginator(...given),
      },
      pageMax,
    ),
  ]
}
