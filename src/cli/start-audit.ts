/** What the audit trail keeps of a server's own life: its start, its end, and doors that anybody on the way can read. */
import { isIP } from 'node:net'
import type { Config } from '#config.ts'
import type { Auditor } from '#security/audit.ts'

/** Doors that are open without TLS beyond this machine, with the address they are bound to. */
export function insecureDoors(config: Pick<Config, 'http' | 'dimse' | 'hl7'>): readonly string[] {
  const { http, dimse, hl7 } = config
  const doors: string[] = []
  const plain = (name: string, host: string, isOn: boolean) => {
    if (isOn && !isLoopback(host)) doors.push(`${name} without TLS on ${host}`)
  }
  plain('HTTP', http.host, http.port !== 'off' && http.tlsCertificate === undefined && http.trustedProxies.length === 0)
  plain('DIMSE', dimse.host, dimse.port !== 'off')
  plain('HL7 v2', hl7.host, hl7.port !== 'off')
  return doors
}

function isLoopback(host: string): boolean {
  if (host === 'localhost' || host === '::1') return true
  return isIP(host) === 4 && host.startsWith('127.')
}

/** Durable before the server says that it is ready. */
export async function auditStart(auditor: Auditor, config: Config, open: boolean): Promise<void> {
  await auditor.note('system', { kind: 'start', detail: open ? 'open mode: no login' : 'the doors are open' })
  for (const door of insecureDoors(config)) await auditor.note('system', { kind: 'alert', detail: door })
}

export async function auditStop(auditor: Auditor): Promise<void> {
  await auditor.note('system', { kind: 'stop', detail: 'told to stop' })
}
