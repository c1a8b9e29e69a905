import { ArchiveError } from '#errors.ts'
import type { Originator } from '#model/settings.ts'
import { type ArchiveCommand, action, type Given, operand, text, texts, UsageError } from '../command.ts'
import { flagValues } from '../flag-values.ts'
import { jsonFile } from '../json-file.ts'

export const originatorCommand: ArchiveCommand = {
  runs: 'in-owner',
  name: 'originator',
  summary: 'Register of who may send what by which door',
  operands: 'add NAME | list | show NAME | remove NAME',
  flags: {
    kind: { type: 'string', value: 'KIND', about: 'modality, department, institution, person, medium, system, other' },
    trust: { type: 'string', value: 'LEVEL', about: 'trusted, known or untrusted' },
    issuer: { type: 'string', value: 'ISSUER', about: 'default issuer of its patient identifiers' },
    'time-zone': { type: 'string', value: 'ZONE', about: 'e.g. Europe/Berlin' },
    department: { type: 'string', value: 'TEXT', about: 'default department' },
    specialty: { type: 'string', value: 'TEXT', about: 'default specialty' },
    address: { type: 'string', value: 'ADDRESS', multiple: true, about: 'network address' },
    'ae-title': { type: 'string', value: 'TITLE', multiple: true, about: 'application entity title' },
    certificate: { type: 'string', value: 'SHA256', multiple: true, about: 'digest of its client certificate' },
    account: { type: 'string', value: 'NAME', multiple: true, about: 'account or token it sends with' },
    'hl7-sender': { type: 'string', value: 'APP|FACILITY', multiple: true, about: 'HL7 v2 sender: MSH-3|MSH-4' },
    'z-segment': {
      type: 'string',
      value: 'NAME=HOW',
      multiple: true,
      about: 'honour, inert or refuse; * for the rest',
    },
    'fhir-extension': {
      type: 'string',
      value: 'URL=HOW',
      multiple: true,
      about: 'honour, inert, strip or refuse; * for the rest',
    },
    rule: { type: 'string', value: 'ID=ACTION', multiple: true, about: 'policy, e.g. P8=quarantine, B5=keep' },
    'private-elements': { type: 'string', value: 'HOW', about: 'keep or strip' },
    'tiff-class': { type: 'string', value: 'UID', multiple: true, about: 'SOP class whose TIFF preamble may stay' },
    document: { type: 'string', value: 'TEXT', about: 'attestation of its security measures: the document' },
    'reviewed-on': { type: 'string', value: 'DATE', about: 'attestation: reviewed on' },
    'valid-until': { type: 'string', value: 'DATE', about: 'attestation: valid until; expired lowers trust' },
    file: { type: 'string', value: 'FILE', about: 'the whole originator as JSON, instead of flags' },
  },
  operandCount: [1, 2],
  more: 'add replaces the values that are given and keeps the others of an originator that is there.',
  async run({ settings }, given, emit) {
    const what = action(given, ['add', 'list', 'show', 'remove'])
    if (what === 'list') {
      const heading = `${'NAME'.padEnd(24)} ${'KIND'.padEnd(12)} ${'TRUST'.padEnd(10)} ISSUER, ATTESTATION`
      if (settings.originators().length > 0) await emit({ heading })
      for (const originator of settings.originators()) await emit({ json: originator, text: shortText(originator) })
      return 0
    }
    const name = operand(given, 1, 'the name of the originator')
    if (what === 'remove') {
      await settings.removeOriginator(name, 'local', null)
      await emit({ json: { removed: name }, text: `${name} removed` })
      return 0
    }
    const known = settings.originator(name)
    if (what === 'show') {
      if (known === undefined) throw new ArchiveError('request.not-found', `there is no originator ${name}`)
      await emit({ json: known, text: JSON.stringify(known, null, 2) })
      return 0
    }
    const asked = { ...known, ...(await jsonFile(given)), ...fromFlags(given), name }
    const added = await settings.putOriginator(asked, 'local', null)
    await emit({ json: added, text: shortText(added) })
    return 0
  },
}

const SINGLE = {
  kind: 'kind',
  trust: 'trust',
  issuer: 'issuer',
  'time-zone': 'timeZone',
  department: 'department',
  specialty: 'specialty',
  'private-elements': 'privateElements',
} as const
const MANY = {
  address: 'addresses',
  'ae-title': 'aeTitles',
  certificate: 'certificates',
  account: 'accounts',
  'tiff-class': 'tiffSopClasses',
  'hl7-sender': 'hl7Senders',
} as const

function fromFlags(given: Given): { readonly [key: string]: unknown } {
  const asked = flagValues(given, SINGLE, MANY)
  for (const [flag, key] of [
    ['rule', 'rules'],
    ['z-segment', 'zSegments'],
    ['fhir-extension', 'fhirExtensions'],
  ] as const) {
    const rows = texts(given, flag).map((row) => {
      // Addresses have equal signs of their own.
      const at = row.lastIndexOf('=')
      const [id, how] = [row.slice(0, Math.max(0, at)), row.slice(at + 1)]
      if (id === '' || how === '') throw new UsageError(`--${flag} wants NAME=HOW, not ${row}`)
      return [id, how]
    })
    if (rows.length > 0) asked[key] = Object.fromEntries(rows)
  }
  const document = text(given, 'document')
  const reviewedOn = text(given, 'reviewed-on')
  const validUntil = text(given, 'valid-until')
  if (document !== undefined || reviewedOn !== undefined || validUntil !== undefined) {
    if (document === undefined || reviewedOn === undefined || validUntil === undefined) {
      throw new UsageError('an attestation needs --document, --reviewed-on and --valid-until')
    }
    asked['attestation'] = { document, reviewedOn, validUntil }
  }
  return asked
}

function shortText({ name, kind, trust, issuer, attestation }: Originator): string {
  const until = attestation === null ? 'no attestation' : `attested until ${attestation.validUntil}`
  return `${name.padEnd(24)} ${kind.padEnd(12)} ${trust.padEnd(10)} issuer ${issuer ?? 'none'}, ${until}`
}
