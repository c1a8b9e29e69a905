import { type CodedValue, systemUri } from '../code-systems.ts'
import { DocumentError } from '../document-error.ts'
import { languageOf, titleOf } from '../text/text-collector.ts'
import { isRecord, type JsonRecord, recordOf, recordsOf, stringOf } from './json-access.ts'
import { parseFhirJson } from './json-read.ts'

/** An identifier as FHIR writes it; `system` is a URI or empty. */
export interface FhirIdentifier {
  readonly system: string
  readonly value: string
}

export interface FhirParty {
  readonly identifiers: readonly FhirIdentifier[]
  /** `Family^Given^Middle^Prefix^Suffix`. */
  readonly person: string | null
  readonly institution: string | null
  readonly role: CodedValue | null
  readonly specialty: CodedValue | null
  /** Scheme and address, e.g. `tel:+41 1`. */
  readonly telecom: string | null
  /** Manufacturer and model, when a device made it. */
  readonly device: string | null
  /** Of an attester. */
  readonly time: string | null
}

/** What the Composition of a FHIR document says of it. FHIR R4 section 2.42. Times as FHIR writes them. */
export interface FhirDocumentHeader {
  /** Bundle.identifier: of this very document. */
  readonly id: FhirIdentifier | null
  /** Composition.identifier: the same through all its versions. */
  readonly setId: FhirIdentifier | null
  readonly profiles: readonly string[]
  readonly status: string | null
  readonly related: readonly { readonly type: 'RPLC' | 'APND' | 'XFRM' | 'signs'; readonly id: FhirIdentifier }[]
  readonly code: CodedValue | null
  readonly categories: readonly CodedValue[]
  readonly title: string | null
  readonly created: string | null
  readonly confidentiality: CodedValue | null
  readonly language: string | null
  readonly patient: {
    readonly identifiers: readonly FhirIdentifier[]
    readonly name: string | null
    /** `YYYYMMDD`, or shorter as given. */
    readonly birthDate: string | null
    readonly sex: 'M' | 'F' | 'O' | null
  } | null
  readonly authors: readonly FhirParty[]
  readonly legalAuthenticator: FhirParty | null
  readonly custodian: { readonly identifiers: readonly FhirIdentifier[]; readonly name: string | null } | null
  readonly encounter: {
    readonly identifiers: readonly FhirIdentifier[]
    readonly start: string | null
    readonly stop: string | null
    readonly facilityType: CodedValue | null
  } | null
  readonly events: readonly {
    readonly codes: readonly CodedValue[]
    readonly start: string | null
    readonly stop: string | null
  }[]
  /** Identifiers of what the Composition's events refer to. */
  readonly orders: readonly FhirIdentifier[]
}

const MANY = 100
const ENTRIES_MAX = 100_000

/**
 * Reads the header of a FHIR document in JSON.
 *
 * @throws DocumentError `malformed` when it is no document Bundle that begins with a Composition; as parseFhirJson
 */
export function readFhirDocumentHeader(bytes: Uint8Array): FhirDocumentHeader {
  const bundle = parseFhirJson(bytes)
  if (bundle['resourceType'] !== 'Bundle' || bundle['type'] !== 'document') {
    throw new DocumentError('malformed', 'no document Bundle')
  }
  const resources = new Resources(bundle)
  const { composition } = resources
  const encounter = resources.follow(composition['encounter'])
  const period = recordOf(encounter?.['period'])
  const patient = resources.follow(composition['subject'])
  const custodian = resources.follow(composition['custodian'])
  const attesters = recordsOf(composition['attester']).slice(0, MANY)
  const legal = attesters.find((one) => one['mode'] === 'legal')
  const events = recordsOf(composition['event']).slice(0, MANY)
  return {
    id: identifiersOf(bundle)[0] ?? null,
    setId: identifiersOf(composition)[0] ?? null,
    profiles: profilesOf(bundle),
    status: stringOf(composition['status']),
    related: recordsOf(composition['relatesTo'])
      .slice(0, MANY)
      .flatMap((one) => relatedOf(one, resources)),
    code: codeOf(composition['type']),
    categories: recordsOf(composition['category'])
      .slice(0, MANY)
      .flatMap((one) => codeOf(one) ?? []),
    title: titleOf(stringOf(composition['title'])),
    created: stringOf(composition['date']),
    confidentiality: confidentialityOf(composition),
    language: languageOf(stringOf(composition['language']) ?? stringOf(bundle['language'])),
    patient: patient === undefined ? null : patientOf(patient),
    authors: recordsOf(composition['author'])
      .slice(0, MANY)
      .map((one) => partyOf(one, resources)),
    legalAuthenticator:
      legal === undefined
        ? null
        : { ...partyOf(recordOf(legal['party']) ?? {}, resources), time: stringOf(legal['time']) },
    custodian:
      custodian === undefined
        ? null
        : { identifiers: identifiersOf(custodian), name: titleOf(stringOf(custodian['name'])) },
    encounter:
      encounter === undefined
        ? null
        : {
            identifiers: identifiersOf(encounter),
            start: stringOf(period?.['start']),
            stop: stringOf(period?.['end']),
            facilityType: codeOf(recordOf(resources.follow(encounter['serviceProvider'])?.['type'])),
          },
    events: events.map((event) => ({
      codes: recordsOf(event['code'])
        .slice(0, MANY)
        .flatMap((one) => codeOf(one) ?? []),
      start: stringOf(recordOf(event['period'])?.['start']),
      stop: stringOf(recordOf(event['period'])?.['end']),
    })),
    orders: events
      .flatMap((event) => recordsOf(event['detail']).slice(0, MANY))
      .flatMap((one) => identifiersOf(resources.follow(one))),
  }
}

/** The resources of a document, found by full URL or by type and id. Nothing outside the document is followed. */
class Resources {
  readonly composition: JsonRecord
  readonly #byUrl = new Map<string, JsonRecord>()

  constructor(bundle: JsonRecord) {
    const entries = recordsOf(bundle['entry'])
    if (entries.length > ENTRIES_MAX) throw new DocumentError('limit', `more than ${ENTRIES_MAX} entries`)
    for (const entry of entries) {
      const { resource } = entry
      if (!isRecord(resource)) continue
      for (const url of [
        stringOf(entry['fullUrl']),
        `${stringOf(resource['resourceType'])}/${stringOf(resource['id'])}`,
      ]) {
        if (url !== null && !this.#byUrl.has(url)) this.#byUrl.set(url, resource)
      }
    }
    const first = recordOf(entries[0]?.['resource'])
    // The first entry must be the Composition; some senders put it elsewhere.
    const composition =
      first?.['resourceType'] === 'Composition'
        ? first
        : entries.map((entry) => recordOf(entry['resource'])).find((one) => one?.['resourceType'] === 'Composition')
    if (composition === undefined) throw new DocumentError('malformed', 'a document Bundle without a Composition')
    this.composition = composition
    for (const one of recordsOf(composition['contained']).slice(0, MANY)) {
      const id = stringOf(one['id'])
      if (id !== null) this.#byUrl.set(`#${id}`, one)
    }
  }

  /** What a Reference leads to; else what it says itself: its identifier and display. */
  follow(value: unknown): JsonRecord | undefined {
    const reference = recordOf(value)
    if (reference === undefined) return undefined
    const url = stringOf(reference['reference'])?.replace(/\/_history\/.*$/, '')
    const found =
      url === undefined ? undefined : (this.#byUrl.get(url) ?? this.#byUrl.get(url.split('/').slice(-2).join('/')))
    if (found !== undefined) return found
    const identifier = recordOf(reference['identifier'])
    const display = stringOf(reference['display'])
    if (identifier === undefined && display === null) return undefined
    return { resourceType: stringOf(reference['type']), identifier, name: display }
  }
}

function identifiersOf(resource: JsonRecord | undefined): FhirIdentifier[] {
  return recordsOf(resource?.['identifier'])
    .slice(0, MANY)
    .flatMap((one) => {
      const value = stringOf(one['value'])
      return value === null ? [] : [{ system: stringOf(one['system']) ?? '', value }]
    })
}

function profilesOf(bundle: JsonRecord): string[] {
  const profiles = recordOf(bundle['meta'])?.['profile']
  return (Array.isArray(profiles) ? profiles : []).slice(0, MANY).flatMap((one) => stringOf(one) ?? [])
}

/** The first coding of a CodeableConcept, or the Coding itself. */
function codeOf(value: unknown): CodedValue | null {
  const concept = recordOf(value)
  const coding = recordOf(concept?.['coding']) ?? concept
  const code = stringOf(coding?.['code'])
  if (code === null) return null
  const display = stringOf(coding?.['display']) ?? stringOf(concept?.['text']) ?? ''
  return { code: code.slice(0, 256), system: stringOf(coding?.['system']) ?? '', display: titleOf(display) ?? '' }
}

const CONFIDENTIALITY_OID = '2.16.840.1.113883.5.25'

/** Composition.confidentiality in R4, a security label since R5. */
function confidentialityOf(composition: JsonRecord): CodedValue | null {
  const system = systemUri(CONFIDENTIALITY_OID)
  const code = stringOf(composition['confidentiality'])
  if (code !== null) return { code, system, display: '' }
  const labels = recordsOf(recordOf(composition['meta'])?.['security']).map(codeOf)
  return labels.find((one) => one?.system === system) ?? null
}

const relationTypes = new Map<string, 'RPLC' | 'APND' | 'XFRM' | 'signs'>([
  ['replaces', 'RPLC'],
  ['appends', 'APND'],
  ['transforms', 'XFRM'],
  ['signs', 'signs'],
])

function relatedOf(one: JsonRecord, resources: Resources): FhirDocumentHeader['related'] {
  const type = relationTypes.get(stringOf(one['code']) ?? '')
  const own = recordOf(one['targetIdentifier'])
  const target = own === undefined ? resources.follow(one['targetReference']) : { identifier: own }
  const id = identifiersOf(target)[0]
  return type === undefined || id === undefined ? [] : [{ type, id }]
}

function namePart(value: unknown): string {
  const parts = Array.isArray(value) ? value : [value]
  const text = parts.slice(0, 10).flatMap((one) => stringOf(one) ?? [])
  // `^`, `=` and `\` divide names in DICOM.
  return text
    .join(' ')
    .replace(/[\^=\\]/g, ' ')
    .trim()
    .slice(0, 64)
}

/** The official name, else the first; a name of display only stands as it is. */
function personName(value: unknown): string | null {
  if (typeof value === 'string') return namePart(value) || null
  const names = recordsOf(value)
  const name = names.find((one) => one['use'] === 'official') ?? names[0]
  if (name === undefined) return null
  const given = Array.isArray(name['given']) ? name['given'] : [name['given']]
  const all = [name['family'], given[0], given.slice(1), name['prefix'], name['suffix']].map(namePart)
  if (all.every((part) => part === '')) return namePart(name['text']) || null
  return all.join('^').replace(/\^+$/, '')
}

function patientOf(patient: JsonRecord): FhirDocumentHeader['patient'] {
  const birth = stringOf(patient['birthDate'])
  const gender = stringOf(patient['gender'])
  return {
    identifiers: identifiersOf(patient),
    name: personName(patient['name']),
    birthDate: birth !== null && /^\d{4}(-\d{2}){0,2}$/.test(birth) ? birth.replaceAll('-', '') : null,
    sex: gender === 'male' ? 'M' : gender === 'female' ? 'F' : gender === 'other' ? 'O' : null,
  }
}

/** A practitioner, a role, an organisation, a device, the patient or a relative. */
function partyOf(reference: JsonRecord, resources: Resources): FhirParty {
  const found = resources.follow(reference) ?? {}
  const type = stringOf(found['resourceType'])
  const person = type === 'PractitionerRole' ? (resources.follow(found['practitioner']) ?? {}) : found
  const organisation = type === 'Organization' ? found : resources.follow(found['organization'])
  const isDevice = type === 'Device'
  const own = identifiersOf(person)
  return {
    identifiers: own.length > 0 ? own : identifiersOf(found),
    person: isDevice || type === 'Organization' ? null : personName(person['name']),
    institution: titleOf(stringOf(organisation?.['name'])),
    role: type === 'PractitionerRole' ? codeOf(recordOf(found['code'])) : null,
    specialty: codeOf(recordOf(found['specialty'])) ?? codeOf(recordOf(recordOf(person['qualification'])?.['code'])),
    telecom: telecomOf(found) ?? telecomOf(person),
    device: isDevice ? deviceOf(found) : null,
    time: null,
  }
}

function telecomOf(resource: JsonRecord): string | null {
  const first = recordsOf(resource['telecom'])[0]
  const value = stringOf(first?.['value'])
  if (value === null) return null
  const system = stringOf(first?.['system'])
  const scheme = system === 'phone' ? 'tel:' : system === 'email' ? 'mailto:' : system === 'fax' ? 'fax:' : ''
  return `${scheme}${value}`.slice(0, 256)
}

function deviceOf(device: JsonRecord): string | null {
  const names = recordsOf(device['deviceName']).map((one) => stringOf(one['name']))
  const parts = [
    stringOf(device['manufacturer']),
    stringOf(device['modelNumber']) ?? names[0] ?? stringOf(device['name']),
  ]
  return titleOf(parts.filter((one) => one !== null && one !== undefined).join(' '))
}
