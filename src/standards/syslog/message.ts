import { Buffer } from 'node:buffer'

/** What a syslog message says. RFC 5424 section 6. */
export interface SyslogMessage {
  /** 10 security and authorisation messages. RFC 5424 section 6.2.1. */
  readonly facility: number
  /** 0 emergency to 7 debug. */
  readonly severity: number
  /** ISO 8601 with zone. */
  readonly time: string
  readonly host: string
  readonly application: string
  readonly process: string
  /** `DICOM+RFC3881` for audit messages. PS3.15 section A.6. */
  readonly messageId: string
  readonly text: string
}

/** A field of the header: printable ASCII without spaces, of limited length; `-` for none. RFC 5424 section 6. */
function field(text: string, max: number): string {
  const printable = text.replace(/[^\x21-\x7e]/g, '_').slice(0, max)
  return printable === '' ? '-' : printable
}

/** One message as bytes: header, no structured data, the text as UTF-8 with its mark. RFC 5424 section 6.4. */
export function syslogMessage(message: SyslogMessage): Buffer {
  const { facility, severity, time, host, application, process, messageId, text } = message
  const head = [
    `<${facility * 8 + severity}>1`,
    field(time, 32),
    field(host, 255),
    field(application, 48),
    field(process, 128),
    field(messageId, 32),
    '-',
  ].join(' ')
  return Buffer.from(`${head} \ufeff${text}`, 'utf8')
}

/** A message in a stream: its length in octets, a space, itself. RFC 5425 section 4.3, RFC 6587 section 3.4.1. */
export function octetCounted(message: Uint8Array): Buffer {
  return Buffer.concat([Buffer.from(`${message.length} `, 'ascii'), message])
}
