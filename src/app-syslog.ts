/** The audit trail goes to a syslog server: put together on the main thread, where the sockets are. */
import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import type { HealthReason } from '#access/health.ts'
import { type Forwarder, startForwarder } from '#access/syslog/forwarder.ts'
import { openSink, parseTarget } from '#access/syslog/sink.ts'
import { ArchiveError } from '#errors.ts'
import type { Archive } from './app.ts'

/** @returns null when no server is configured. @throws ArchiveError 'configuration.invalid' */
export function forwardAudit(
  archive: Archive,
  log: { error(of: object, text: string): void; info?(of: object, text: string): void },
): Forwarder | null {
  const { syslog: url, syslogAuthorities, syslogCertificate, syslogKey, syslogFacility } = archive.config.audit
  if (url === undefined) return null
  const target = parseTarget(url)
  if (target === undefined) throw new ArchiveError('configuration.invalid', `audit.syslog: ${url} is no address`)
  if ((syslogCertificate === undefined) !== (syslogKey === undefined)) {
    throw new ArchiveError('configuration.invalid', 'audit.syslogCertificate and audit.syslogKey go together')
  }
  const node = hostname()
  return startForwarder({
    trail: archive.security,
    node,
    facility: syslogFacility,
    sink: openSink({
      ...target,
      ...(syslogAuthorities === undefined ? {} : { authorities: pem('syslogAuthorities', syslogAuthorities) }),
      ...(syslogCertificate === undefined ? {} : { certificate: pem('syslogCertificate', syslogCertificate) }),
      ...(syslogKey === undefined ? {} : { key: pem('syslogKey', syslogKey) }),
    }),
    sent: () => archive.auditSent.sent(node, url),
    advance: (sequence) => archive.auditSending.advance(node, url, sequence),
    onState(problem) {
      if (problem === null) log.info?.({ syslog: url }, 'audit messages are sent again')
      else log.error({ err: problem, syslog: url }, 'audit messages cannot be sent; they are sent later')
    },
  })
}

function pem(key: string, path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch (cause) {
    throw new ArchiveError('configuration.invalid', `audit.${key}: ${path} cannot be read`, { cause })
  }
}

/** An entry that waits longer says that the server is not taking any, in milliseconds. */
const BEHIND_MS = 60_000

/** What readiness says of it. */
export function syslogReasons({ config, security, auditSent }: Archive): HealthReason[] {
  const { syslog: url } = config.audit
  if (url === undefined) return []
  const node = hostname()
  const [oldest] = security.chain(node, auditSent.sent(node, url), 1)
  if (oldest === undefined || Date.now() - Date.parse(oldest.time) < BEHIND_MS) return []
  return [{ code: 'audit-not-sent', detail: 'audit messages wait for the syslog server', blocking: false }]
}
