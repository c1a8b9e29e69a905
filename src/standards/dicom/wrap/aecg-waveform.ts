import {
  type AnnotatedEcg,
  type EcgAnnotation,
  type EcgSeries,
  readAecg,
  type SequenceSet,
} from '../../waveform/aecg.ts'
import { isStandardLead, leadConcept, measurementConcept, unitConcept } from '../../waveform/ecg-codes.ts'
import { EXPLICIT_LITTLE_ENDIAN } from '../transfer-syntax.ts'
import { SOP_CLASS } from '../uids.ts'
import { type Attributes, codeSequence, decimal, shortened } from './attributes.ts'
import { ConversionError } from './conversion-error.ts'
import { type DicomFace, makeFace } from './face.ts'
import type { FaceIdentity } from './identity.ts'

/** One multiplex group to be, with the series it comes from. */
interface Group {
  readonly series: EcgSeries
  readonly set: SequenceSet
  readonly frequency: number
  readonly samples: number
}

const ANNOTATIONS_MAX = 10_000

function refuse(reason: string): never {
  throw new ConversionError('conversion.unsupported', reason)
}

/**
 * Makes the DICOM waveform of an HL7 aECG: rhythm and representative beats as multiplex groups with the digits, scale
 * and origin they came with, so that every value is the same in both; measurements and statements as annotations.
 *
 * A 12-lead ECG when it has the twelve leads and fits that class (5 groups of 13 channels, 16384 samples, 200 to
 * 1000 Hz); else a General ECG (4 groups of 24 channels, 200 to 1000 Hz); with samples above 16 bits or another
 * frequency a General 32-bit ECG. The aECG stays the original. Whether it is about the patient of `identity` is for
 * the caller to see: readAecg says whom it names.
 *
 * @throws ConversionError `conversion.unsupported` for leads or units without a code and for more groups than any
 *   class has; what readAecg throws
 * @see PS3.3 A.34.3, A.34.4, A.34.13, C.10.9 and C.10.10
 */
export function wrapAecg(aecg: Uint8Array, identity: FaceIdentity): DicomFace {
  const ecg = readAecg(aecg)
  const groups = ecg.series.flatMap((series) => series.sequenceSets.map((set) => groupOf(series, set)))
  if (groups.length === 0) refuse('an annotated ECG without a waveform')
  const sopClassUid = classOf(groups)
  const when = acquisitionTime(ecg, identity)
  const wide = sopClassUid === SOP_CLASS.general32BitEcg
  const annotations = annotationsOf(ecg, groups)
  return makeFace(identity, {
    sopClassUid,
    transferSyntaxUid: EXPLICIT_LITTLE_ENDIAN,
    modality: 'ECG',
    face: 'ecg-waveform',
    attributes: () => ({
      AcquisitionDateTime: when,
      ...contentTimes(when, identity),
      AcquisitionContextSequence: [],
      WaveformSequence: groups.map((group) => waveform(group, groups, wide)),
      WaveformAnnotationSequence: annotations.length === 0 ? undefined : annotations,
    }),
  })
}

function groupOf(series: EcgSeries, set: SequenceSet): Group {
  const samples = set.leads[0]?.digits.length ?? 0
  if (samples === 0) throw new ConversionError('conversion.malformed', 'a sequence set without samples')
  if (set.leads.some(({ digits }) => digits.length !== samples)) {
    throw new ConversionError('conversion.malformed', 'leads of one sequence set with different numbers of samples')
  }
  // 0.002 s is 500 Hz, not 499.99999999999994.
  const frequency = Number((1 / set.incrementSeconds).toPrecision(12))
  return { series, set, frequency, samples }
}

/** The narrowest class that all groups fit. */
function classOf(groups: readonly Group[]): string {
  const every = (fits: (group: Group) => boolean) => groups.every(fits)
  const ordinary = every(({ set, frequency }) => frequency >= 200 && frequency <= 1000 && set.leads.every(fits16))
  const leads = new Set(groups.flatMap(({ set }) => set.leads.map(({ code }) => code.toUpperCase())))
  const twelve =
    groups.length <= 5 &&
    [...leads].filter(isStandardLead).length === 12 &&
    every(({ set, samples }) => set.leads.length <= 13 && samples <= 16_384) &&
    every(({ set }) => set.leads.every(({ code }) => isStandardLead(code)))
  if (ordinary && twelve) return SOP_CLASS.twelveLeadEcg
  if (groups.length > 4) refuse(`${groups.length} multiplex groups: a General ECG has at most 4`)
  if (!every(({ set }) => set.leads.length <= 24)) refuse('more than 24 leads in one group')
  return ordinary ? SOP_CLASS.generalEcg : SOP_CLASS.general32BitEcg
}

function fits16({ digits }: { readonly digits: Int32Array }): boolean {
  return digits.every((digit) => digit >= -32_768 && digit <= 32_767)
}

/** The time of the recording, which DICOM wants to know. */
function acquisitionTime(ecg: AnnotatedEcg, { contentDate = '', contentTime = '' }: FaceIdentity): string {
  const start = ecg.start ?? ecg.series.find((series) => series.start !== undefined)?.start
  const when = start === undefined ? `${contentDate}${contentDate === '' ? '' : contentTime}` : dicomTime(start)
  return when === '' ? refuse('an ECG that does not say when it was recorded') : when
}

/** Content Date and Time may not be empty here. PS3.3 section C.10.8. */
function contentTimes(when: string, { contentDate = '', contentTime = '' }: FaceIdentity): Attributes {
  if (contentDate !== '' && contentTime !== '') return {}
  const [, date = '', time = ''] = /^(\d{8})(\d{2,6}(?:\.\d+)?)/.exec(when) ?? []
  if (date === '') refuse('an ECG that does not say at which hour it was recorded')
  return { ContentDate: date, ContentTime: time }
}

/** HL7 has as many digits of a second as somebody likes, DICOM six. */
function dicomTime(hl7: string): string {
  return hl7.trim().replace(/(\.\d{6})\d+/, '$1')
}

/** Milliseconds of an HL7 time stamp from an epoch that is the same for all; null for one without seconds. */
function milliseconds(hl7: string): number | null {
  const parts = /^(\d{4})(\d{2})(\d{2})(\d{2})(\d{2})(\d{2}(?:\.\d+)?)/.exec(hl7.trim())
  if (parts === null) return null
  const [, year, month, day, hour, minute, second] = parts.map(Number)
  return Date.UTC(year ?? 0, (month ?? 1) - 1, day, hour, minute) + (second ?? 0) * 1000
}

/**
 * Milliseconds from the first group of absolute time to this one; undefined for relative time, and where no group
 * begins at another time than the rest. PS3.3 section C.10.9.
 */
function offsetMs({ set }: Group, groups: readonly Group[]): number | undefined {
  const absolute = groups.filter((group) => group.set.timeCode === 'TIME_ABSOLUTE')
  const [start] = absolute
  if (set.timeCode !== 'TIME_ABSOLUTE' || start === undefined) return undefined
  if (absolute.every((group) => group.set.head === start.set.head)) return undefined
  const [own, zero] = [milliseconds(set.head), milliseconds(start.set.head)]
  return own === null || zero === null ? undefined : own - zero
}

const LABELS: { readonly [code: string]: string } = { RHYTHM: 'RHYTHM', REPRESENTATIVE_BEAT: 'MEDIAN BEAT' }

function waveform(group: Group, groups: readonly Group[], wide: boolean): Attributes {
  const { series, set, frequency, samples } = group
  const beat = series.code === 'REPRESENTATIVE_BEAT'
  return {
    MultiplexGroupTimeOffset: offsetMs(group, groups),
    WaveformOriginality: beat ? 'DERIVED' : 'ORIGINAL',
    NumberOfWaveformChannels: set.leads.length,
    NumberOfWaveformSamples: samples,
    SamplingFrequency: decimal(frequency),
    MultiplexGroupLabel: shortened(LABELS[series.code] ?? series.code, 16),
    ChannelDefinitionSequence: set.leads.map((lead) => channel(lead, series, wide)),
    WaveformBitsAllocated: wide ? 32 : 16,
    WaveformSampleInterpretation: wide ? 'SL' : 'SS',
    'WaveformData OW': interleaved(set, samples, wide),
  }
}

function channel(
  { code, scale, origin, unit }: SequenceSet['leads'][number],
  series: EcgSeries,
  wide: boolean,
): Attributes {
  const lead = leadConcept(code)
  const volts = /V$/.test(unit) ? unitConcept(unit) : undefined
  if (lead === undefined) refuse(`lead ${shortened(code, 64)} has no code in DICOM`)
  if (volts === undefined) refuse(`unit ${shortened(unit, 16)} is none of a lead`)
  const { lowPass, highPass, notch } = series.filters
  return {
    ChannelSourceSequence: codeSequence(lead),
    ChannelSensitivity: exactly(scale),
    ChannelSensitivityUnitsSequence: codeSequence(volts),
    ChannelSensitivityCorrectionFactor: '1',
    ChannelBaseline: exactly(origin),
    ChannelSampleSkew: '0',
    WaveformBitsStored: wide ? 32 : 16,
    // A low pass filter lets through what is below its frequency: the high end of the band.
    FilterLowFrequency: highPass,
    FilterHighFrequency: lowPass,
    NotchFilterFrequency: notch,
  }
}

/** A decimal number as it was written, when 16 characters hold it; never one that is only nearly the same. */
function exactly(text: string): string {
  if (text.length <= 16) return text
  const short = decimal(Number(text))
  return Number(short) === Number(text) ? short : refuse('a scale with more digits than DICOM holds')
}

/** Sample 1 of every channel, then sample 2: little endian. */
function interleaved({ leads }: SequenceSet, samples: number, wide: boolean): Uint8Array {
  const size = wide ? 4 : 2
  const bytes = new Uint8Array(samples * leads.length * size)
  const view = new DataView(bytes.buffer)
  leads.forEach(({ digits }, index) => {
    for (let sample = 0; sample < samples; sample++) {
      const at = (sample * leads.length + index) * size
      const digit = digits[sample] ?? 0
      if (wide) view.setInt32(at, digit, true)
      else view.setInt16(at, digit, true)
    }
  })
  return bytes
}

function annotationsOf(ecg: AnnotatedEcg, groups: readonly Group[]): readonly Attributes[] {
  const made: Attributes[] = []
  for (const series of ecg.series) {
    for (const annotation of series.annotations) {
      const item = annotationItem(annotation, series, groups)
      if (item !== undefined) made.push(item)
    }
  }
  if (made.length > ANNOTATIONS_MAX) {
    throw new ConversionError('conversion.limit', `more than ${ANNOTATIONS_MAX} annotations`)
  }
  return made
}

/** PS3.3 section C.10.10. What has no code of its own is kept in words. */
function annotationItem(
  annotation: EcgAnnotation,
  series: EcgSeries,
  groups: readonly Group[],
): Attributes | undefined {
  const own = groups.flatMap((group, index) => (group.series === series ? [{ group, number: index + 1 }] : []))
  if (own.length === 0) return undefined
  const leads = annotation.leads.map((lead) => lead.toUpperCase())
  const named = own.flatMap(({ group, number }) =>
    group.set.leads.flatMap(({ code }, index) => (leads.includes(code.toUpperCase()) ? [number, index + 1] : [])),
  )
  return {
    ReferencedWaveformChannels: named.length > 0 ? named : own.flatMap(({ number }) => [number, 0]),
    AnnotationGroupNumber: own[0]?.number ?? 1,
    ...regionOf(annotation, own[0]!.group, own.length),
    ...contentOf(annotation),
  }
}

function contentOf({ code, value }: EcgAnnotation): Attributes {
  const name = code.replace(/^MDC_ECG_/, '')
  if (value === null) return { UnformattedTextValue: shortened(name, 1024) }
  if ('text' in value) return { UnformattedTextValue: shortened(value.text, 1024) }
  const [concept, unit] = [measurementConcept(code), unitConcept(value.unit)]
  if (concept === undefined || unit === undefined) {
    return { UnformattedTextValue: shortened(`${name} ${value.number} ${value.unit}`, 1024) }
  }
  return {
    ConceptNameCodeSequence: codeSequence(concept),
    MeasurementUnitsCodeSequence: codeSequence(unit),
    NumericValue: decimal(value.number),
  }
}

/** First and last sample of a region, counted from 1; only where one group is meant and the region lies in it. */
function regionOf({ from, to }: EcgAnnotation, { set, samples }: Group, groups: number): Attributes {
  if (from === undefined || to === undefined || groups !== 1) return {}
  const absolute = set.timeCode === 'TIME_ABSOLUTE'
  const position = (time: string) => {
    const [at, zero] = absolute
      ? [milliseconds(time), milliseconds(set.head)]
      : [Number(time) * 1000, Number(set.head) * 1000]
    return at === null || zero === null ? Number.NaN : Math.round((at - zero) / 1000 / set.incrementSeconds) + 1
  }
  const [begin, end] = [position(from), position(to)]
  if (!(begin >= 1 && end >= begin && end <= samples)) return {}
  return begin === end
    ? { TemporalRangeType: 'POINT', ReferencedSamplePositions: [begin] }
    : { TemporalRangeType: 'SEGMENT', ReferencedSamplePositions: [begin, end] }
}
