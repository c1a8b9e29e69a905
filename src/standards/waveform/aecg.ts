import { ConversionError } from '../dicom/wrap/conversion-error.ts'
import { attribute, first, readXmlTree, select, type XmlElement, type XmlLimits } from './xml-tree.ts'

/** An HL7 annotated ECG (ANSI/HL7 V3 ECG, R1-2004), as far as its waveforms and measurements go. */
export interface AnnotatedEcg {
  /** Root and extension of its id. */
  readonly id: string
  /** HL7 time stamps, as written. */
  readonly start: string | undefined
  readonly end: string | undefined
  readonly subject: EcgSubject
  readonly series: readonly EcgSeries[]
}

export interface EcgSubject {
  readonly ids: readonly string[]
  readonly name: string | undefined
  readonly sex: string | undefined
  readonly birthTime: string | undefined
}

export interface EcgSeries {
  /** RHYTHM, REPRESENTATIVE_BEAT or another code of ActCode. */
  readonly code: string
  readonly start: string | undefined
  readonly device: {
    readonly manufacturer?: string
    readonly model?: string
    readonly software?: string
    readonly serial?: string
  }
  readonly filters: EcgFilters
  readonly sequenceSets: readonly SequenceSet[]
  readonly annotations: readonly EcgAnnotation[]
}

/** Hertz. */
export interface EcgFilters {
  readonly lowPass?: number
  readonly highPass?: number
  readonly notch?: number
}

/** Leads that were sampled together. */
export interface SequenceSet {
  /** TIME_ABSOLUTE or TIME_RELATIVE. */
  readonly timeCode: string
  /** HL7 time stamp for absolute time, seconds for relative. */
  readonly head: string
  /** Seconds from one sample to the next. */
  readonly incrementSeconds: number
  readonly leads: readonly LeadSequence[]
}

export interface LeadSequence {
  /** MDC_ECG_LEAD_II ... */
  readonly code: string
  /** One value is `origin + digit * scale`, in `unit`. Decimal numbers, as written. */
  readonly origin: string
  readonly scale: string
  readonly unit: string
  readonly digits: Int32Array
}

export interface EcgAnnotation {
  /** Code of what is said, e.g. MDC_ECG_TIME_PD_QT. */
  readonly code: string
  readonly value: { readonly number: number; readonly unit: string } | { readonly text: string } | null
  /** Leads it is about; none: all of them. */
  readonly leads: readonly string[]
  /** Of a region in time; HL7 time stamps or seconds, as the time code of the boundary says. */
  readonly from: string | undefined
  readonly to: string | undefined
}

const LIMITS: XmlLimits = { bytesMax: 64 * 1024 * 1024, elementsMax: 200_000, depthMax: 64 }
/** Samples of all leads together: 24 h of 12 leads would be 500 million, and is no annotated ECG. */
const SAMPLES_MAX = 20_000_000
const ANNOTATION_DEPTH_MAX = 32

/**
 * Reads an HL7 aECG. Of what is wrong nothing is mended: a number that is none ends the reading.
 *
 * @throws ConversionError `conversion.type` for another document; `conversion.malformed`; `conversion.limit` above
 *   64 MiB, 200,000 elements or 20 million samples
 */
export function readAecg(bytes: Uint8Array): AnnotatedEcg {
  const root = readXmlTree(bytes, LIMITS)
  if (root.name !== 'AnnotatedECG') throw new ConversionError('conversion.type', 'not an HL7 annotated ECG')
  const budget = { samples: SAMPLES_MAX }
  const series = select(root, 'component', 'series').flatMap((one) => [
    readSeries(one, budget),
    ...select(one, 'derivation', 'derivedSeries').map((derived) => readSeries(derived, budget)),
  ])
  const id = first(root, 'id')
  return {
    id: [id?.attributes.get('root'), id?.attributes.get('extension')].filter((part) => part !== undefined).join('^'),
    start: timeOf(root, 'low') ?? attribute(root, 'value', 'effectiveTime', 'center'),
    end: timeOf(root, 'high'),
    subject: readSubject(root),
    series,
  }
}

function timeOf(from: XmlElement, bound: 'low' | 'high'): string | undefined {
  return attribute(from, 'value', 'effectiveTime', bound)
}

function readSubject(root: XmlElement): EcgSubject {
  const subject = first(
    root,
    'componentOf',
    'timepointEvent',
    'componentOf',
    'subjectAssignment',
    'subject',
    'trialSubject',
  )
  if (subject === undefined) return { ids: [], name: undefined, sex: undefined, birthTime: undefined }
  const person = first(subject, 'subjectDemographicPerson')
  const name = person === undefined ? undefined : first(person, 'name')
  const parts = name?.children.map(({ text }) => text.trim()).filter((part) => part !== '') ?? []
  const said = parts.length > 0 ? parts.join(' ') : name?.text.trim()
  return {
    ids: select(subject, 'id').flatMap(({ attributes }) => attributes.get('extension') ?? []),
    name: said === '' ? undefined : said,
    sex: person === undefined ? undefined : attribute(person, 'code', 'administrativeGenderCode'),
    birthTime: person === undefined ? undefined : attribute(person, 'value', 'birthTime'),
  }
}

function readSeries(series: XmlElement, budget: { samples: number }): EcgSeries {
  const device = first(series, 'author', 'seriesAuthor', 'manufacturedSeriesDevice')
  const maker = first(series, 'author', 'seriesAuthor', 'manufacturerOrganization', 'name')?.text.trim()
  const said = (name: string) => (device === undefined ? undefined : first(device, name)?.text.trim() || undefined)
  const serial = device === undefined ? undefined : attribute(device, 'extension', 'id')
  const [model, software] = [said('manufacturerModelName'), said('softwareName')]
  return {
    code: attribute(series, 'code', 'code') ?? '',
    start: timeOf(series, 'low'),
    device: {
      ...(maker === undefined || maker === '' ? {} : { manufacturer: maker }),
      ...(model === undefined ? {} : { model }),
      ...(software === undefined ? {} : { software }),
      ...(serial === undefined ? {} : { serial }),
    },
    filters: readFilters(series),
    sequenceSets: select(series, 'component', 'sequenceSet').map((set) => readSequenceSet(set, budget)),
    annotations: select(series, 'subjectOf', 'annotationSet', 'component', 'annotation').flatMap((annotation) =>
      readAnnotation(annotation, 0),
    ),
  }
}

const FILTERS: { readonly [code: string]: keyof EcgFilters } = {
  MDC_ECG_CTL_VBL_ATTR_FILTER_LOW_PASS: 'lowPass',
  MDC_ECG_CTL_VBL_ATTR_FILTER_HIGH_PASS: 'highPass',
  MDC_ECG_CTL_VBL_ATTR_FILTER_NOTCH: 'notch',
}

function readFilters(series: XmlElement): EcgFilters {
  const filters: { -readonly [name in keyof EcgFilters]: EcgFilters[name] } = {}
  for (const variable of select(series, 'controlVariable', 'controlVariable')) {
    const name = FILTERS[attribute(variable, 'code', 'code') ?? '']
    const part = first(variable, 'component', 'controlVariable')
    if (name === undefined || part === undefined) continue
    const hertz = Number(attribute(part, 'value', 'value'))
    if (attribute(part, 'unit', 'value') === 'Hz' && Number.isFinite(hertz)) filters[name] = hertz
  }
  return filters
}

function readSequenceSet(set: XmlElement, budget: { samples: number }): SequenceSet {
  const sequences = select(set, 'component', 'sequence')
  const isTime = (sequence: XmlElement) => /^TIME_/.test(attribute(sequence, 'code', 'code') ?? '')
  const time = sequences.find(isTime)
  const value = time === undefined ? undefined : first(time, 'value')
  if (time === undefined || value === undefined) throw malformed('a sequence set without its time')
  const increment = Number(attribute(value, 'value', 'increment')) * seconds(attribute(value, 'unit', 'increment'))
  if (!(increment > 0)) throw malformed('a time without increment')
  return {
    timeCode: attribute(time, 'code', 'code') ?? '',
    head: attribute(value, 'value', 'head') ?? '',
    incrementSeconds: increment,
    leads: sequences.filter((sequence) => !isTime(sequence)).map((sequence) => readLead(sequence, budget)),
  }
}

function seconds(unit: string | undefined): number {
  const known: { readonly [unit: string]: number } = { s: 1, ms: 1e-3, us: 1e-6 }
  const factor = known[unit ?? '']
  if (factor === undefined) throw malformed('a time in a unit that is none')
  return factor
}

function malformed(reason: string): ConversionError {
  return new ConversionError('conversion.malformed', reason)
}

const DECIMAL = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?$/

function decimalOf(value: string | undefined, what: string): string {
  if (value === undefined || !DECIMAL.test(value.trim())) throw malformed(`${what} is no number`)
  return value.trim()
}

function readLead(sequence: XmlElement, budget: { samples: number }): LeadSequence {
  const value = first(sequence, 'value')
  const digits = value === undefined ? undefined : first(value, 'digits')
  if (value === undefined || digits === undefined) throw malformed('a lead without digits')
  const unit = attribute(value, 'unit', 'scale') ?? ''
  if ((attribute(value, 'unit', 'origin') ?? unit) !== unit) throw malformed('origin and scale in different units')
  return {
    code: attribute(sequence, 'code', 'code') ?? '',
    origin: decimalOf(attribute(value, 'value', 'origin') ?? '0', 'an origin'),
    scale: decimalOf(attribute(value, 'value', 'scale'), 'a scale'),
    unit,
    digits: readDigits(digits.text, budget),
  }
}

const isBlank = (text: string, at: number) => text.charCodeAt(at) <= 0x20

/** Whole numbers divided by blanks. They are counted before anything is made of them. */
function readDigits(text: string, budget: { samples: number }): Int32Array {
  let count = 0
  for (let at = 0; at < text.length; at++) if (!isBlank(text, at) && (at === 0 || isBlank(text, at - 1))) count += 1
  budget.samples -= count
  if (budget.samples < 0) throw new ConversionError('conversion.limit', `more than ${SAMPLES_MAX} samples`)
  const digits = new Int32Array(count)
  let at = 0
  for (let index = 0; index < count; index++) {
    while (isBlank(text, at)) at += 1
    const start = at
    while (at < text.length && !isBlank(text, at)) at += 1
    const word = text.slice(start, Math.min(at, start + 16))
    const digit = Number(word)
    if (!/^[+-]?\d{1,10}(?:\.0*)?$/.test(word) || digit !== (digit | 0)) {
      throw malformed('a digit is no whole number of 32 bits')
    }
    digits[index] = digit
  }
  return digits
}

/** An annotation and those inside it, flat. */
function readAnnotation(annotation: XmlElement, depth: number): EcgAnnotation[] {
  if (depth > ANNOTATION_DEPTH_MAX) throw new ConversionError('conversion.limit', 'annotations nested too deep')
  const code = attribute(annotation, 'code', 'code') ?? ''
  const value = first(annotation, 'value')
  const boundaries = select(annotation, 'support', 'supportingROI', 'component', 'boundary')
  const isTime = (boundary: XmlElement) => /^TIME_/.test(attribute(boundary, 'code', 'code') ?? '')
  const time = boundaries.find(isTime)
  const own: EcgAnnotation = {
    code,
    value: value === undefined ? null : readValue(value),
    leads: boundaries
      .map((boundary) => attribute(boundary, 'code', 'code') ?? '')
      .filter((lead) => lead.startsWith('MDC_ECG_LEAD_')),
    from: time === undefined ? undefined : attribute(time, 'value', 'value', 'low'),
    to: time === undefined ? undefined : attribute(time, 'value', 'value', 'high'),
  }
  const inner = select(annotation, 'component', 'annotation').flatMap((one) => readAnnotation(one, depth + 1))
  return own.value === null && own.from === undefined ? inner : [own, ...inner]
}

function readValue(value: XmlElement): EcgAnnotation['value'] {
  const type = value.attributes.get('xsi:type')
  const text = value.text.trim()
  if (type === 'ST' || type === 'ED') return text === '' ? null : { text }
  if (type === 'CE' || type === 'CD' || type === 'CV') {
    const said = value.attributes.get('displayName') ?? value.attributes.get('code')
    return said === undefined ? null : { text: said }
  }
  const number = value.attributes.get('value')
  if (number === undefined) return null
  return { number: Number(decimalOf(number, 'a measurement')), unit: value.attributes.get('unit') ?? '1' }
}
