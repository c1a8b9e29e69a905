import { readFileSync } from 'node:fs'
import { z } from 'zod'
import { ArchiveError } from './errors.ts'

/**
 * What differs per node and needs a restart: ports, paths, secrets, limits. Everything else is a site setting.
 * design.md section 8; docs/reference/configuration.md is written from the descriptions below.
 */

const UNITS: { readonly [unit: string]: number } = { B: 1, KiB: 1024, MiB: 1024 ** 2, GiB: 1024 ** 3, TiB: 1024 ** 4 }

/** A number of bytes: 1048576, or text with a binary unit ("1 MiB"). */
const bytes = () =>
  z.preprocess((value) => {
    const match = typeof value === 'string' ? /^(\d{1,15})\s?(B|KiB|MiB|GiB|TiB)$/.exec(value.trim()) : null
    return match === null ? value : Number(match[1]) * (UNITS[match[2] ?? 'B'] ?? 1)
  }, z.int('expected whole bytes, or a size such as "64 MiB"').min(0))
const count = (min = 1, max = 2 ** 31 - 1) => z.int('expected a whole number').min(min).max(max)
const seconds = () => z.number('expected seconds').min(0.01).max(86_400)
const port = () =>
  z.union([z.int().min(0).max(65535), z.literal('off')], 'expected a port number (0 for a free one) or "off"')

const KiB = 1024
const MiB = 1024 ** 2
const GiB = 1024 ** 3

const http = z.strictObject({
  host: z
    .string()
    .min(1)
    .default('127.0.0.1')
    .describe('Address to listen on. Stays loopback until an account exists.'),
  port: port().default(8080).describe('Port, 0 for any free one, "off" for none.'),
  publicBaseUrl: z
    .url({ protocol: /^https?$/, error: 'expected http(s)://host[:port][/path]' })
    .transform((url) => url.replace(/\/+$/, ''))
    .optional()
    .describe('How callers reach this server (behind a proxy). Used in every absolute address we write.'),
  trustedProxies: z
    .array(z.string().regex(/^[0-9a-fA-F.:]+(\/\d{1,3})?$/, 'expected an address or a CIDR block'))
    .default([])
    .describe('Proxies whose Forwarded-For/-Proto headers are believed, as addresses or CIDR blocks.'),
  corsOrigins: z
    .array(z.string().regex(/^https?:\/\/[^/\s*]+$/, 'expected an origin such as https://viewer.example'))
    .default([])
    .describe('Origins whose pages may call us. Never "*".'),
  tlsCertificate: z.string().min(1).optional().describe('PEM file: certificate chain. Read again when it changes.'),
  tlsKey: z.string().min(1).optional().describe('PEM file: private key of the certificate.'),
  insecure: z
    .boolean()
    .default(false)
    .describe('Allow listening beyond loopback without an account or without TLS. Shown as a banner and audited.'),
})

const dimse = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address the DICOM door listens on.'),
  port: port().default(11112).describe('Port of the DICOM door, or "off".'),
  aeTitle: z
    .string()
    .regex(/^(?=.*[^ ])[\x20-\x5b\x5d-\x7e]{1,16}$/, 'expected 1 to 16 characters, no backslash')
    .default('DIPTYCH')
    .describe('Our application entity title.'),
  tlsPort: port().default('off').describe('Port of the DICOM door over TLS (2762 is registered for it), or "off".'),
  tlsCertificate: z.string().min(1).optional().describe('PEM file: certificate chain. Read again when it changes.'),
  tlsKey: z.string().min(1).optional().describe('PEM file: private key of the certificate.'),
  tlsAuthorities: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file: authorities that client certificates must come from. Named: every peer needs a certificate.'),
})

const hl7 = z.strictObject({
  host: z.string().min(1).default('127.0.0.1').describe('Address the HL7 v2 door listens on.'),
  port: port().default(2575).describe('Port of the HL7 v2 door, or "off".'),
  tlsPort: port().default('off').describe('Port of the HL7 v2 door over TLS, or "off".'),
  tlsCertificate: z.string().min(1).optional().describe('PEM file: certificate chain. Read again when it changes.'),
  tlsKey: z.string().min(1).optional().describe('PEM file: private key of the certificate.'),
  tlsAuthorities: z
    .string()
    .min(1)
    .optional()
    .describe(
      'PEM file: authorities that client certificates must come from. Named: every sender needs a certificate.',
    ),
  application: z.string().min(1).max(180).default('DIPTYCH').describe('Our name in MSH-3 of what we send.'),
  facility: z.string().max(180).default('').describe('Our facility in MSH-4 of what we send.'),
})

const screening = z.strictObject({
  clamd: z
    .string()
    .regex(/^(\/.+|\[[0-9a-fA-F:]+\]:\d{1,5}|[A-Za-z0-9._-]+:\d{1,5})$/, 'expected host:port or the path of a socket')
    .optional()
    .describe('ClamAV daemon. Configured but unreachable: files are held as pending, never let through.'),
})

const storage = z.strictObject({
  url: z
    .literal('files', 'this version keeps bytes in files below the data directory ("files")')
    .default('files')
    .describe('Where bytes are kept.'),
  reserve: bytes()
    .optional()
    .describe(
      'Bytes kept free so that audit, decisions and deletions still work on a full disk. Default: 2 % of the volume, at most 1 GiB.',
    ),
})

const index = z.strictObject({
  url: z
    .literal('sqlite', 'this version keeps its index in SQLite below the data directory ("sqlite")')
    .default('sqlite')
    .describe('Where the index is kept.'),
})

const session = z.strictObject({
  idleMinutes: z.number().min(1).max(1440).default(30).describe('A session ends after this long without a request.'),
  absoluteHours: z.number().min(0.1).max(168).default(12).describe('A session ends after this long in any case.'),
})

const audit = z.strictObject({
  readWindowSeconds: seconds()
    .default(300)
    .describe('Repeated reads of one study by one user are counted over this window and written as one entry.'),
  syslog: z
    .string()
    .regex(
      /^(tls|tcp|udp):\/\/(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9._-]+):\d{1,5}$/,
      'expected tls://, tcp:// or udp://host:port',
    )
    .optional()
    .describe('Syslog server that gets every audit entry as a DICOM audit message, such as tls://audit.example:6514.'),
  syslogAuthorities: z
    .string()
    .min(1)
    .optional()
    .describe('PEM file: authorities the syslog server must come from. Default: those of the system.'),
  syslogCertificate: z.string().min(1).optional().describe('PEM file: our certificate for the syslog server.'),
  syslogKey: z.string().min(1).optional().describe('PEM file: private key of the certificate.'),
  syslogFacility: z.int().min(0).max(23).default(10).describe('Syslog facility; 10 is security and authorisation.'),
})

const log = z.strictObject({
  level: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'])
    .default('info')
    .describe('Least severe message that is written.'),
})

const limits = z.strictObject({
  sequenceDepth: count(1, 1000).default(64).describe('Nesting of sequences in a data set.'),
  elementsPerDataSet: count().default(5_000_000).describe('Data elements in one data set, nested ones included.'),
  itemsPerSequence: count().default(1_000_000).describe('Items of one sequence.'),
  valueInMemory: bytes()
    .default(64 * MiB)
    .describe('Largest value held in memory; larger ones are read by range.'),
  objectSize: bytes()
    .default(8 * GiB)
    .describe('Largest object taken in.'),
  inflateRatio: count(1, 100_000)
    .default(200)
    .describe('Largest ratio of inflated to deflated bytes, after the first MiB.'),
  inflatedSize: bytes()
    .default(4 * GiB)
    .describe('Largest inflated data set.'),
  decodedFrame: bytes()
    .default(512 * MiB)
    .describe('Largest decoded frame.'),
  httpHeaderBytes: bytes()
    .default(16 * KiB)
    .describe('Request line and header fields of one HTTP request.'),
  httpHeaders: count(10, 1000).default(100).describe('Header fields of one HTTP request.'),
  httpHeaderSeconds: seconds().default(20).describe('Time for a request head to arrive.'),
  httpBodyBytesPerSecond: count(1)
    .default(KiB)
    .describe('Slowest sender of a request body, measured over the window below.'),
  httpBodyWindowSeconds: seconds().default(30).describe('Window of the measurement above.'),
  httpStalledSeconds: seconds()
    .default(120)
    .describe('An answer of which no byte could be sent for this long is given up.'),
  httpJsonBytes: bytes().default(MiB).describe('Largest JSON body of an API request.'),
  httpRequests: count(2).default(256).describe('Requests served at once; health checks are not counted.'),
  httpRequestsPerSubject: count(1).default(128).describe('Requests of one account or token served at once.'),
  httpConnections: count(2).default(2000).describe('Open HTTP connections.'),
  httpConnectionsPerAddress: count(2)
    .default(1000)
    .describe('Open HTTP connections of one address, unless it is a trusted proxy.'),
  multipartParts: count().default(20_000).describe('Parts of one multipart request.'),
  multipartHeaderBytes: bytes()
    .default(8 * KiB)
    .describe('Header of one part.'),
  jsonDepth: count(1, 1000).default(64).describe('Nesting of JSON.'),
  jsonMetadataBytes: bytes()
    .default(64 * MiB)
    .describe('Largest DICOM JSON metadata part.'),
  xmlDepth: count(1, 1000).default(256).describe('Nesting of XML.'),
  xmlBytes: bytes()
    .default(64 * MiB)
    .describe('Largest XML document parsed.'),
  xmlAttributes: count().default(512).describe('Attributes of one XML element.'),
  queryResults: count(1, 10_000).default(1000).describe('Results in one page of a search.'),
  archiveEntries: count().default(100_000).describe('Entries of one ZIP file.'),
  archiveDepth: count(1, 10).default(2).describe('How deep ZIP files inside ZIP files are opened.'),
  archiveBytes: bytes()
    .default(64 * GiB)
    .describe('All bytes of one ZIP file, inflated.'),
  dimseAssociations: count().default(128).describe('Open DICOM associations; more are told "temporary congestion".'),
  dimseAssociationsPerPeer: count().default(32).describe('Open DICOM associations of one peer, unless it has its own.'),
  dimseIdleSeconds: seconds().default(300).describe('An association on which nothing happens is aborted after this.'),
  dimseArtimSeconds: seconds().default(30).describe('Time for an association to be requested, answered or released.'),
  dimsePduBytes: bytes()
    .default(128 * KiB)
    .describe('Longest P-DATA-TF we say we take.'),
  dimseOperations: count(1, 1000).default(32).describe('Asynchronous operations one association may have outstanding.'),
  dimseIdentifierBytes: bytes().default(MiB).describe('Largest identifier of a query or normalised operation.'),
  dimseQueryResults: count()
    .default(50_000)
    .describe('Matches of one C-FIND; what is cut off is told with status A700.'),
  hl7Connections: count().default(128).describe('Open HL7 v2 connections.'),
  hl7ConnectionsPerAddress: count().default(64).describe('Open HL7 v2 connections of one address.'),
  hl7MessageBytes: bytes()
    .default(32 * MiB)
    .describe('Largest HL7 v2 message.'),
  hl7Segments: count().default(20_000).describe('Segments of one HL7 v2 message.'),
  hl7IdleSeconds: seconds()
    .default(3600)
    .describe('An HL7 v2 connection on which nothing happens is closed after this.'),
  hl7MessageSeconds: seconds().default(60).describe('Time for a message to arrive once it has begun.'),
  uploads: count().default(1000).describe('Unfinished browser uploads.'),
  uploadHours: z.number().min(1).max(720).default(24).describe('An unfinished upload is dropped after this long.'),
})

const shape = { http, dimse, hl7, screening, storage, index, session, audit, log, limits }

const configuration = z.strictObject({
  http: http.prefault({}),
  dimse: dimse.prefault({}),
  hl7: hl7.prefault({}),
  screening: screening.prefault({}),
  storage: storage.prefault({}),
  index: index.prefault({}),
  session: session.prefault({}),
  audit: audit.prefault({}),
  log: log.prefault({}),
  limits: limits.prefault({}),
})

export type Config = z.output<typeof configuration>
export type Limits = Config['limits']
export type HttpConfig = Config['http']

/** Environment names that begin with our prefix and are no settings. */
const NOT_SETTINGS = /^DIPTYCH_(SAMPLES$|CONFIG$|TEST_|BENCH_)/

/** `screening.clamd` -> `DIPTYCH_SCREENING_CLAMD`; `limits.sequenceDepth` -> `DIPTYCH_LIMITS_SEQUENCE_DEPTH`. */
export function environmentName(section: string, key: string): string {
  if (key === 'url') return `DIPTYCH_${section.toUpperCase()}`
  const words = key.replace(/[A-Z]/g, (letter) => `_${letter}`)
  return `DIPTYCH_${section.toUpperCase()}_${words.toUpperCase()}`
}

interface Setting {
  readonly section: string
  readonly key: string
  readonly environment: string
  readonly description: string
  readonly fallback: unknown
}

/** Every setting of a node, in the order of the reference page. */
export function configurationSettings(): readonly Setting[] {
  return Object.entries(shape).flatMap(([section, schema]) => {
    const defaults: Record<string, unknown> = schema.parse({})
    return Object.entries(schema.shape).map(([key, field]) => ({
      section,
      key,
      environment: environmentName(section, key),
      description: field.description ?? '',
      fallback: defaults[key],
    }))
  })
}

/**
 * Reads `diptych.config.json` (optional) and the environment, which wins.
 *
 * @param given values of command line flags; they win over both
 * @throws ArchiveError 'configuration.invalid' naming the wrong key or value; secrets are not repeated
 */
export function loadConfig(sources: {
  readonly file?: string
  readonly environment?: { readonly [name: string]: string | undefined }
  readonly given?: { readonly [section: string]: { readonly [key: string]: unknown } }
}): Config {
  const merged: Record<string, Record<string, unknown>> = {}
  const take = (section: string, key: string, value: unknown) => {
    merged[section] ??= {}
    merged[section][key] = value
  }
  const fromFile = sources.file === undefined ? {} : readConfigFile(sources.file)
  const origin = new Map<string, string>()
  for (const [section, values] of Object.entries(fromFile)) {
    if (!(section in shape)) throw invalid(section, `there is no section "${section}"`, sources.file)
    if (typeof values !== 'object' || values === null || Array.isArray(values)) {
      throw invalid(section, 'expected an object of settings', sources.file)
    }
    for (const [key, value] of Object.entries(values)) {
      take(section, key, value)
      origin.set(`${section}.${key}`, sources.file ?? '')
    }
  }
  const byName = new Map(configurationSettings().map((setting) => [setting.environment, setting]))
  for (const [name, text] of Object.entries(sources.environment ?? {})) {
    if (!name.startsWith('DIPTYCH_') || NOT_SETTINGS.test(name) || text === undefined) continue
    const setting = byName.get(name)
    if (setting === undefined) throw invalid(name, 'there is no such setting', 'the environment')
    take(setting.section, setting.key, fromText(text, setting.fallback))
    origin.set(`${setting.section}.${setting.key}`, name)
  }
  for (const [section, values] of Object.entries(sources.given ?? {})) {
    for (const [key, value] of Object.entries(values)) {
      if (value === undefined) continue
      take(section, key, value)
      origin.set(`${section}.${key}`, `--${section}-${key}`)
    }
  }
  const result = configuration.safeParse(merged)
  if (!result.success) {
    const issue = result.error.issues[0]
    const unknown = issue?.code === 'unrecognized_keys' ? `.${issue.keys[0] ?? ''}` : ''
    const path = `${issue?.path.join('.') ?? ''}${unknown}`
    const text = unknown === '' ? (issue?.message ?? 'not valid') : 'there is no such setting'
    throw invalid(path, text, origin.get(path.split('.').slice(0, 2).join('.')))
  }
  for (const section of ['http', 'dimse', 'hl7'] as const) {
    const { tlsCertificate, tlsKey } = result.data[section]
    if ((tlsCertificate === undefined) === (tlsKey === undefined)) continue
    const missing = tlsKey === undefined ? 'tlsKey' : 'tlsCertificate'
    throw invalid(`${section}.${missing}`, 'certificate and key go together', undefined)
  }
  for (const section of ['dimse', 'hl7'] as const) {
    const { tlsPort, tlsCertificate } = result.data[section]
    if (tlsPort === 'off' || tlsCertificate !== undefined) continue
    throw invalid(`${section}.tlsCertificate`, 'a TLS port needs a certificate', undefined)
  }
  return result.data
}

function readConfigFile(file: string): Record<string, unknown> {
  let parsed: unknown
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'))
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') return {}
    throw new ArchiveError('configuration.invalid', `${file} cannot be read as JSON`, { cause })
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    throw new ArchiveError('configuration.invalid', `${file}: expected a JSON object of sections`)
  }
  return parsed as Record<string, unknown>
}

/** The environment has text only: numbers, booleans and comma-separated lists are told by what the setting is. */
function fromText(text: string, fallback: unknown): unknown {
  if (Array.isArray(fallback))
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '')
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  if (text === 'true' || text === 'false') return text === 'true'
  return text
}

function invalid(key: string, why: string, where: string | undefined): ArchiveError {
  const from = where === undefined || where === '' ? '' : ` (from ${where})`
  return new ArchiveError('configuration.invalid', `${key}: ${why}${from}`, {
    hint: 'docs/reference/configuration.md lists every setting.',
  })
}
