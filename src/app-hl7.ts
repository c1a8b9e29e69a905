/** Puts the HL7 v2 door together: its desk in the writer worker, its listener on the main thread. */
import type { ErrorLog } from '#access/http-server-problem.ts'
import { createMessageDesk, type DeskTerms, type MessageDeskTools } from '#arrival/hl7v2/message-desk.ts'
import type { KnownIdentities } from '#arrival/hl7v2/terms.ts'
import { type Hl7Server, startHl7 } from '#arrival/hl7v2-server.ts'
import type { Config } from '#config.ts'
import type { PatientKey } from '#model/identity.ts'
import type { IdentityReader } from '#model/identity-ledger.ts'
import type { MessageDesk } from '#model/message.ts'
import { auditEvent } from '#security/audit.ts'
import { createIssuers } from '#security/issuers.ts'
import type { AuditEvent, SecurityReader } from '#security/ports.ts'
import { settingIn } from '#security/site-settings.ts'
import { DEFAULT_HL7_LIMITS, type Hl7Limits } from '#standards/hl7v2/limits.ts'
import type { Archive } from './app.ts'

/**
 * Opens the HL7 v2 door.
 * @returns null when it is off
 * @throws ArchiveError 'configuration.invalid' for a port that is taken or a certificate that cannot be used
 */
export function serveHl7(archive: Archive, log: ErrorLog): Promise<Hl7Server | null> {
  const { config, messageDesk } = archive
  return startHl7({ config, desk: messageDesk, onFault: (error, what) => log.error({ err: error }, what) })
}

/** What the desk needs of the worker it runs in. */
export interface DeskSurroundings
  extends Pick<
    MessageDeskTools,
    'store' | 'ledger' | 'journal' | 'commit' | 'exclusively' | 'reports' | 'wake' | 'onFault'
  > {
  readonly config: Config
  readonly identities: IdentityReader
  readonly security: Pick<SecurityReader, 'settings' | 'settingsVersion' | 'originators'>
  audit(events: readonly AuditEvent[]): void
}

/** The message desk over the worker's adapters. */
export function openMessageDesk(around: DeskSurroundings): MessageDesk {
  const { config, security, identities } = around
  let known = { version: -1, terms: termsOf(security) }
  return createMessageDesk({
    ...around,
    known: knownIdentities(identities),
    limits: hl7Limits(config),
    us: { application: config.hl7.application, facility: config.hl7.facility },
    terms() {
      const version = security.settingsVersion()
      if (version !== known.version) known = { version, terms: termsOf(security) }
      return known.terms
    },
    audit({ who, address, outcome, alert, detail }) {
      around.audit([auditEvent(who.slice(0, 200), { kind: alert ? 'alert' : 'store', address, outcome, detail })])
    },
  })
}

export function hl7Limits({ limits }: Pick<Config, 'limits'>): Hl7Limits {
  return { ...DEFAULT_HL7_LIMITS, messageBytes: limits.hl7MessageBytes, segments: limits.hl7Segments }
}

function termsOf(security: DeskSurroundings['security']): DeskTerms {
  const kept = security.settings()
  return {
    originators: security.originators(),
    senders: settingIn(kept, 'hl7.senders'),
    messages: settingIn(kept, 'hl7.messages'),
    undeclared: settingIn(kept, 'hl7.undeclaredCharset'),
    siteIssuer: settingIn(kept, 'identity.defaultIssuer'),
    mapping: {
      issuers: createIssuers(settingIn(kept, 'identity.issuers')),
      unknownIssuers: settingIn(kept, 'hl7.unknownIssuers'),
      siteZone: settingIn(kept, 'site.timeZone'),
      orderStatus: settingIn(kept, 'hl7.orderStatus'),
      studyUid: settingIn(kept, 'hl7.studyUid'),
    },
  }
}

/** Most entries of a patient that are looked through for a link. */
const LINK_ENTRIES_MAX = 1000

function knownIdentities(reader: IdentityReader): KnownIdentities {
  const same = (a: PatientKey, b: PatientKey) => a.issuer === b.issuer && a.id === b.id
  return {
    patient: (key) => reader.patient(key),
    order: (id) => reader.order(id),
    linkOf(a, b) {
      const { items } = reader.entries({ patient: a, limit: LINK_ENTRIES_MAX })
      return items.find(({ decision, undoneBy }) => {
        return undoneBy === null && decision.do === 'link' && same(decision.a, a) && same(decision.b, b)
      })?.id
    },
  }
}

/** Registers and settings as the walk of objects reads them, with the register of issuers they share with messages. */
export function siteTerms(security: DeskSurroundings['security'], version: number) {
  const settings = security.settings()
  const issuers = createIssuers(settingIn(settings, 'identity.issuers'))
  return { version, originators: security.originators(), settings, issuers }
}
