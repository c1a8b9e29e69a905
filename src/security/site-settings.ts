import { z } from 'zod'
import { ArchiveError } from '#errors.ts'
import type { Peer } from '#model/peer.ts'
import type { SettingFault } from '#model/setting-fault.ts'
import type { Originator } from '#model/settings.ts'
import { auditEvent } from './audit.ts'
import { DOCUMENT_SETTINGS } from './document-settings.ts'
import { HL7_SETTINGS } from './hl7-settings.ts'
import { NOTICE_SETTINGS } from './notice-settings.ts'
import { checkPeer } from './peers.ts'
import type { OriginatorStore, PeerStore, SecurityWriter, SettingsStore, SettingVersion } from './ports.ts'

const action = z.enum(['reject', 'quarantine', 'sanitise', 'keep'])
const rules = z.record(z.string().regex(/^[A-Za-z0-9-]{1,64}$/, 'expected a rule id'), action)
const uid = z.string().regex(/^[0-9.]{1,64}$/, 'expected a UID')
const timeZone = z.string().max(64).refine(isTimeZone, 'expected an IANA time zone such as Europe/Berlin')
const date = z.iso.date('expected a date such as 2026-11-24')
const text = (max = 200) => z.string().trim().min(1).max(max)

/** Form only; which rules and parameters there are, the placement room knows: placement/policy.ts. */
export const placementPolicy = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        rule: z.string().min(1).max(64),
        on: z.boolean(),
        mode: z.enum(['act', 'propose']),
        threshold: z.number().min(0).max(1),
        parameters: z.record(z.string().max(64), z.union([z.string().max(500), z.number(), z.boolean()])),
        departments: z.array(z.string().max(200)).max(200),
        originators: z.array(z.string().max(200)).max(200),
      }),
    )
    .max(100),
  documentSystem: z.string().trim().min(1).max(200).nullable(),
})

function isTimeZone(name: string): boolean {
  return name === 'UTC' || Intl.supportedValuesOf('timeZone').includes(name)
}

/** Every site setting: key, form, default, what it does. design.md section 8. */
export const SETTINGS = {
  'site.name': { schema: text(), fallback: 'Diptych', what: 'Name shown on the pages and on exported media.' },
  'site.timeZone': { schema: timeZone, fallback: 'UTC', what: 'Zone of times that come without one.' },
  'identity.defaultIssuer': {
    schema: text(64),
    fallback: 'local',
    what: 'Our own assigning authority: issuer of patient identifiers in messages that name none.',
  },
  'identity.matching': {
    schema: z.strictObject({
      automatic: z.boolean().default(true),
      leastScore: z.int().min(0).max(100).default(25),
      scheduledDays: z.int().min(0).max(365).default(7),
      candidatesMax: z.int().min(1).max(50).default(10),
    }),
    fallback: { automatic: true, leastScore: 25, scheduledDays: 7, candidatesMax: 10 },
    what: 'How studies are matched with patients and orders: what is certain is assigned by itself (or never), from which score on a candidate is shown, days around a scheduled step, most candidates.',
  },
  'screening.rules': { schema: rules, fallback: {}, what: 'Verdicts that differ from the catalogue, by rule id.' },
  'screening.doors': {
    schema: z.partialRecord(
      z.enum(['media', 'web', 'stow', 'mailbox', 'dimse', 'hl7v2', 'fhir', 'xds', 'demo', 'placement']),
      rules,
    ),
    fallback: {},
    what: 'The same for one door.',
  },
  'screening.privateElements': {
    schema: z.enum(['keep', 'strip']),
    fallback: 'keep',
    what: 'Private elements at the door.',
  },
  'screening.tiffSopClasses': {
    schema: z.array(uid).max(100),
    fallback: [],
    what: 'SOP classes, beside whole slide microscopy, that may keep a valid TIFF preamble.',
  },
  'screening.unknownSopClasses': {
    schema: z.enum(['keep', 'reject']),
    fallback: 'keep',
    what: 'Classes we have no family for.',
  },
  'screening.unknownTransferSyntaxes': {
    schema: z.enum(['reject', 'keep']),
    fallback: 'reject',
    what: 'Encodings we cannot read: refused, or kept as they are.',
  },
  'media.badZip': {
    schema: z.enum(['keep-good', 'refuse']),
    fallback: 'keep-good',
    what: 'A ZIP with a bad member: what is good of it is taken, or nothing of it.',
  },
  'quarantine.retentionDays': {
    schema: z.int().min(1).max(3650),
    fallback: 30,
    what: 'Days a held original is kept after its decision.',
  },
  'deletion.graceDays': { schema: z.int().min(0).max(3650), fallback: 30, what: 'Days before deleted bytes may go.' },
  'placement.policy': {
    schema: placementPolicy,
    fallback: { rules: [], documentSystem: null },
    what: 'Placement rules in their order with what differs from the defaults; rules that are left out follow as they are by default. `documentSystem`: name of another system that owns scanned documents.',
  },
  'worklist.shows': {
    schema: z.enum(['scheduled', 'started']),
    fallback: 'started',
    what: 'Orders a worklist query finds: only scheduled ones, or those that were started too.',
  },
  'worklist.ownStation': {
    schema: z.boolean(),
    fallback: false,
    what: 'A modality finds only steps scheduled for its own AE title, or for none.',
  },
  'dimse.strangers': {
    schema: z.enum(['loopback', 'refuse']),
    fallback: 'loopback',
    what: 'Unknown calling AE titles: taken on loopback, or refused everywhere.',
  },
  ...DOCUMENT_SETTINGS,
  ...HL7_SETTINGS,
  ...NOTICE_SETTINGS,
} as const satisfies { readonly [key: string]: { schema: z.ZodType; fallback: unknown; what: string } }

export type SettingKey = keyof typeof SETTINGS
export type SettingValue<Key extends SettingKey> = z.output<(typeof SETTINGS)[Key]['schema']>

const zAction = z.enum(['honour', 'inert', 'refuse'])
const path = z.string().regex(/^[0-9A-F]{8}(\/\d{1,4}\/[0-9A-F]{8}){0,8}$/, 'expected a path such as 00100010')
/** No rule changes which object it is, how it is coded, its pixels, or the record of changes. */
const target = path.refine(
  (text) => !/^(0002|7FE0|FFFE|0008001[68]|0020000[DE]|00080005|04000561)/.test(text),
  'UIDs, coding and pixels cannot be coerced',
)
const vr = z.string().regex(/^[A-Z]{2}$/, 'expected a value representation')
/** Objects refer to each other by UIDs, and a rule does not know which. */
const targetVr = vr.refine((text) => text !== 'UI' && text !== 'SQ', 'UIDs and sequences cannot be coerced by rule')
const coercion = z.strictObject({
  defaults: z
    .array(z.strictObject({ path: target, vr: targetVr, values: z.array(z.string().max(1024)).max(64) }))
    .max(200)
    .default([]),
  map: z
    .array(
      z.strictObject({
        from: path,
        to: target,
        vr: targetVr,
        values: z.record(z.string(), z.string().max(1024)).default({}),
      }),
    )
    .max(200)
    .default([]),
  privateElements: z.enum(['keep', 'strip', 'replace']).default('keep'),
})

/** What an originator is registered with. */
export const originatorBody = z.strictObject({
  name: text(64).regex(/^[^\p{Cc}/\\]+$/u, 'no control characters, no slash'),
  kind: z.enum(['modality', 'department', 'institution', 'person', 'medium', 'system', 'other']).default('other'),
  addresses: z.array(text(64)).max(100).default([]),
  aeTitles: z.array(z.string().trim().min(1).max(16)).max(100).default([]),
  certificates: z
    .array(z.string().regex(/^[0-9a-f]{64}$/, 'expected a SHA-256 in lower-case hexadecimal'))
    .max(100)
    .default([]),
  accounts: z.array(text(64)).max(100).default([]),
  trust: z.enum(['trusted', 'known', 'untrusted']).default('known'),
  attestation: z
    .strictObject({ document: text(1000), reviewedOn: date, validUntil: date })
    .nullable()
    .default(null),
  issuer: text(64).nullable().default(null),
  timeZone: timeZone.nullable().default(null),
  department: text().nullable().default(null),
  specialty: text().nullable().default(null),
  facilityType: text(128).nullable().optional(),
  confidentiality: text(128).nullable().optional(),
  language: text(35).nullable().optional(),
  rules: rules.default({}),
  privateElements: z.enum(['keep', 'strip']).default('keep'),
  tiffSopClasses: z.array(uid).max(100).default([]),
  hl7Senders: z.array(text(400)).max(100).default([]),
  zSegments: z
    .record(z.string().regex(/^(Z[A-Z0-9]{2}|\*)$/, 'expected a segment such as ZDS, or *'), zAction)
    .default({}),
  fhirExtensions: z
    .record(
      z.string().regex(/^([A-Za-z][A-Za-z0-9+.-]*:\S{1,500}|\*)$/, 'expected the address of an extension, or *'),
      z.enum(['honour', 'inert', 'strip', 'refuse']),
    )
    .optional(),
  coercion: coercion.default({ defaults: [], map: [], privateElements: 'keep' }),
})

/** A file of settings, originators and peers. */
export const siteFileBody = z.strictObject({
  format: z.literal(1),
  settings: z.record(z.string(), z.unknown()),
  originators: z.array(z.unknown()).max(10_000),
  peers: z.array(z.unknown()).max(10_000).default([]),
})

/** Settings, originators and peers as one file, for export and import. */
export interface SiteFile {
  readonly format: 1
  readonly settings: { readonly [key: string]: unknown }
  readonly originators: readonly Originator[]
  readonly peers: readonly Peer[]
}

type Faults = readonly SettingFault[] | Promise<readonly SettingFault[]>

/** What rooms above know of a value whose form is right: rules and messages there are. Absent: nothing more is asked. */
export interface SettingChecks {
  readonly settings?: { readonly [Key in SettingKey]?: (value: SettingValue<Key>) => Faults }
  readonly originator?: (originator: Originator) => Faults
}

/** Site settings and the register of originators: checked, versioned, audited. */
export class SiteSettings {
  readonly #store: SettingsStore & OriginatorStore & PeerStore
  readonly #writer: SecurityWriter
  readonly #checks: SettingChecks

  constructor(store: SettingsStore & OriginatorStore & PeerStore, writer: SecurityWriter, checks: SettingChecks = {}) {
    this.#store = store
    this.#writer = writer
    this.#checks = checks
  }

  /** The value in force. A kept value that this version no longer understands is the default. */
  get<Key extends SettingKey>(key: Key): SettingValue<Key> {
    return settingIn(this.#store.settings(), key)
  }

  all(): readonly { key: string; value: unknown; fallback: unknown; set: boolean; what: string }[] {
    const kept = this.#store.settings()
    return Object.entries(SETTINGS).map(([key, { fallback, what }]) => ({
      key,
      value: settingIn(kept, key as SettingKey),
      fallback,
      set: key in kept,
      what,
    }))
  }

  version(): number {
    return this.#store.settingsVersion()
  }

  history(key: string): readonly SettingVersion[] {
    return this.#store.settingHistory(key)
  }

  /** @throws ArchiveError 'request.malformed' naming the wrong key or value; then nothing was changed */
  async change(changes: { readonly [key: string]: unknown }, by: string, address: string | null): Promise<void> {
    const checked = await this.#checkSettings(changes)
    const detail = `set ${Object.keys(checked).join(', ')}`
    await this.#writer.changeSettings(checked, auditEvent(by, { kind: 'settings', address, detail }))
  }

  originators(): readonly Originator[] {
    return this.#store.originators()
  }

  originator(name: string): Originator | undefined {
    return this.#store.originator(name)
  }

  /** Adds or replaces one originator. @throws ArchiveError 'request.malformed' naming what is wrong */
  async putOriginator(given: unknown, by: string, address: string | null): Promise<Originator> {
    const originator = await this.#checkOriginator(given)
    await this.#writer.putOriginators(
      [originator],
      auditEvent(by, { kind: 'originator', address, detail: `put ${originator.name}` }),
    )
    return originator
  }

  /** @throws ArchiveError 'request.not-found' */
  async removeOriginator(name: string, by: string, address: string | null): Promise<void> {
    const written = await this.#writer.removeOriginator(
      name,
      auditEvent(by, { kind: 'originator', address, detail: `removed ${name.slice(0, 64)}` }),
    )
    if (written === 'missing') throw new ArchiveError('request.not-found', 'originator')
  }

  export(): SiteFile {
    return {
      format: 1,
      settings: this.#store.settings(),
      originators: this.#store.originators(),
      peers: this.#store.peers(),
    }
  }

  /** Takes a file made by `export`: all of it, or nothing. Originators and peers that it does not name stay. */
  async import(
    given: unknown,
    by: string,
    address: string | null,
  ): Promise<{ settings: number; originators: number; peers: number }> {
    const file = checked(siteFileBody, given, 'site file')
    const settings = await this.#checkSettings(file.settings)
    const originators = await Promise.all(file.originators.map((each) => this.#checkOriginator(each)))
    const peers = file.peers.map(checkPeer)
    const count = Object.keys(settings).length
    const detail = `imported ${count} settings, ${originators.length} originators, ${peers.length} peers`
    await this.#writer.importSite(
      { settings, originators, peers },
      auditEvent(by, { kind: 'settings', address, detail }),
    )
    return { settings: count, originators: originators.length, peers: peers.length }
  }

  async #checkSettings(changes: { readonly [key: string]: unknown }): Promise<{ readonly [key: string]: unknown }> {
    const checked = checkSettings(changes)
    for (const [key, value] of Object.entries(checked)) {
      const check = this.#checks.settings?.[key as SettingKey] as ((value: unknown) => Faults) | undefined
      if (value !== null) refuseFirst(await check?.(value))
    }
    return checked
  }

  async #checkOriginator(given: unknown): Promise<Originator> {
    const originator = checkOriginator(given)
    refuseFirst(await this.#checks.originator?.(originator))
    return originator
  }
}

function refuseFirst(faults: readonly SettingFault[] = []): void {
  const [fault] = faults
  if (fault === undefined) return
  const { path, detail, hint } = fault
  throw new ArchiveError('request.malformed', `${path}: ${detail}`, hint === undefined ? {} : { hint })
}

/** One setting out of all kept values: also for the worker, which reads them itself. */
export function settingIn<Key extends SettingKey>(
  kept: { readonly [key: string]: unknown },
  key: Key,
): SettingValue<Key> {
  const { schema, fallback } = SETTINGS[key]
  const parsed = schema.safeParse(kept[key])
  return (parsed.success ? parsed.data : fallback) as SettingValue<Key>
}

/** @throws ArchiveError 'request.malformed' */
export function checkOriginator(given: unknown): Originator {
  return checked(originatorBody, given, 'originator')
}

function checkSettings(changes: { readonly [key: string]: unknown }): { readonly [key: string]: unknown } {
  const entries = Object.entries(changes).map(([key, value]) => {
    if (!Object.hasOwn(SETTINGS, key)) {
      throw new ArchiveError('request.malformed', `settings: there is no "${key.slice(0, 100)}"`, {
        hint: `There are ${Object.keys(SETTINGS).join(', ')}.`,
      })
    }
    return [key, value === null ? null : checked(SETTINGS[key as SettingKey].schema, value, key)] as const
  })
  return Object.fromEntries(entries)
}

function checked<Schema extends z.ZodType>(schema: Schema, given: unknown, what: string): z.output<Schema> {
  const result = schema.safeParse(given)
  if (result.success) return result.data
  const issue = result.error.issues[0]
  const unknown = issue?.code === 'unrecognized_keys' ? `there is no "${issue.keys[0] ?? ''}"` : issue?.message
  throw new ArchiveError('request.malformed', [what, ...(issue?.path ?? [])].join('.') + `: ${unknown ?? 'not valid'}`)
}
