import { type DataSet, number, sequence, string, text } from '../data-set.ts'
import { SOP_CLASS } from '../uids.ts'
import { codeOf } from './content.ts'
import type { Code, Fact, FamilyFinding, ObjectFamily, Summary } from './family.ts'

const ID = 'ecg'

const TAG = {
  sopClass: 0x00080016,
  timeOffset: 0x00181068,
  originality: 0x003a0004,
  channels: 0x003a0005,
  samples: 0x003a0010,
  frequency: 0x003a001a,
  label: 0x003a0020,
  channelDefinitions: 0x003a0200,
  channelLabel: 0x003a0203,
  channelSource: 0x003a0208,
  sensitivity: 0x003a0210,
  sensitivityUnits: 0x003a0211,
  correctionFactor: 0x003a0212,
  baseline: 0x003a0213,
  filterLow: 0x003a0220,
  filterHigh: 0x003a0221,
  filterNotch: 0x003a0222,
  units: 0x004008ea,
  conceptName: 0x0040a043,
  referencedChannels: 0x0040a0b0,
  numericValue: 0x0040a30a,
  conceptCode: 0x0040a168,
  annotations: 0x0040b020,
  waveforms: 0x54000100,
  bitsAllocated: 0x54001004,
  interpretation: 0x54001006,
  waveformData: 0x54001010,
  textValue: 0x00700006,
} as const

/** What a class allows. PS3.3 A.34.3 and A.34.4 (12-lead and General), A.34.5 (Ambulatory), A.34.13 (32-bit). */
interface Limits {
  readonly name: string
  readonly groups: number
  readonly channels: number
  readonly samples: number | undefined
  readonly frequency: readonly [from: number, to: number] | undefined
  readonly interpretations: readonly string[]
}

const CLASSES: { readonly [sopClass: string]: Limits } = {
  [SOP_CLASS.twelveLeadEcg]: {
    name: '12-lead ECG',
    groups: 5,
    channels: 13,
    samples: 16384,
    frequency: [200, 1000],
    interpretations: ['SS'],
  },
  [SOP_CLASS.generalEcg]: {
    name: 'General ECG',
    groups: 4,
    channels: 24,
    samples: undefined,
    frequency: [200, 1000],
    interpretations: ['SS'],
  },
  [SOP_CLASS.ambulatoryEcg]: {
    name: 'Ambulatory ECG',
    groups: 1,
    channels: 12,
    samples: undefined,
    frequency: [50, 1000],
    interpretations: ['SB', 'SS'],
  },
  [SOP_CLASS.general32BitEcg]: {
    name: 'General 32-bit ECG',
    groups: 4,
    channels: 24,
    samples: undefined,
    frequency: undefined,
    interpretations: ['SS', 'SL'],
  },
}

/**
 * Names of measurements by their code. SCPECG codes are sections of SCP-ECG as recorders write them; MDC ones are
 * PS3.16 CID 3229 (axes) and 3689 (global durations). Others are named by their meaning.
 */
const MEASUREMENTS: { readonly [schemeAndValue: string]: string } = {
  'SCPECG 5.10.2.1-3': 'rr-interval',
  'SCPECG 5.10.2.1-5': 'pp-interval',
  'SCPECG 5.10.2.5-1': 'heart-rate',
  'SCPECG 5.10.2.5-5': 'qtc-interval',
  'SCPECG 5.13.5-7': 'pr-interval',
  'SCPECG 5.13.5-9': 'qrs-duration',
  'SCPECG 5.13.5-11': 'qt-interval',
  'SCPECG 5.10.3-11': 'p-axis',
  'SCPECG 5.10.3-13': 'qrs-axis',
  'SCPECG 5.10.3-15': 't-axis',
  'MDC 2:16000': 'rr-interval',
  'MDC 2:16140': 'pp-interval',
  'MDC 2:16184': 'p-duration',
  'MDC 2:15872': 'pr-interval',
  'MDC 2:16156': 'qrs-duration',
  'MDC 2:16160': 'qt-interval',
  'MDC 2:16128': 'p-axis',
  'MDC 2:16132': 'qrs-axis',
  'MDC 2:16136': 't-axis',
}

/** One channel of a multiplex group. Physical value = sample x sensitivity x correction + baseline, in `unit`. */
export interface Channel {
  readonly name: string
  readonly source: Code | undefined
  readonly sensitivity: number | undefined
  readonly correction: number
  readonly baseline: number
  readonly unit: Code | undefined
  /** Hertz. */
  readonly filterLow: number | undefined
  readonly filterHigh: number | undefined
  readonly filterNotch: number | undefined
}

/** One multiplex group: samples of all channels interleaved. PS3.3 C.10.9. */
export interface MultiplexGroup {
  readonly label: string | undefined
  readonly originality: string | undefined
  readonly channelCount: number
  readonly sampleCount: number
  /** Hertz; 0 when unknown. */
  readonly frequency: number
  readonly bitsAllocated: number
  readonly interpretation: string
  readonly channels: readonly Channel[]
  /** Of Waveform Data, in bytes in the source of the data set; undefined when there is none. */
  readonly data: { readonly offset: number; readonly length: number } | undefined
}

function readChannel(item: DataSet): Channel {
  const source = codeOf(item, TAG.channelSource)
  const optional = (tag: number) => number(item, tag) ?? undefined
  return {
    name: string(item, TAG.channelLabel) ?? source?.meaning ?? '',
    source,
    sensitivity: optional(TAG.sensitivity),
    correction: number(item, TAG.correctionFactor) ?? 1,
    baseline: number(item, TAG.baseline) ?? 0,
    unit: codeOf(item, TAG.sensitivityUnits),
    filterLow: optional(TAG.filterLow),
    filterHigh: optional(TAG.filterHigh),
    filterNotch: optional(TAG.filterNotch),
  }
}

/** The multiplex groups of a waveform object of any class. PS3.3 C.10.9. */
export function multiplexGroups(dataSet: DataSet): readonly MultiplexGroup[] {
  return sequence(dataSet, TAG.waveforms).map((item) => {
    const data = item.get(TAG.waveformData)
    return {
      label: string(item, TAG.label) ?? undefined,
      originality: string(item, TAG.originality) ?? undefined,
      channelCount: number(item, TAG.channels) ?? 0,
      sampleCount: number(item, TAG.samples) ?? 0,
      frequency: number(item, TAG.frequency) ?? 0,
      bitsAllocated: number(item, TAG.bitsAllocated) ?? 0,
      interpretation: string(item, TAG.interpretation) ?? '',
      channels: sequence(item, TAG.channelDefinitions).map(readChannel),
      data:
        data === undefined || data.valueLength < 0 ? undefined : { offset: data.valueOffset, length: data.valueLength },
    }
  })
}

/** Seconds a group lasts; 0 when its frequency is unknown. */
export function durationOf(group: MultiplexGroup): number {
  return group.frequency > 0 ? group.sampleCount / group.frequency : 0
}

function limitsOf(dataSet: DataSet): Limits | undefined {
  return CLASSES[string(dataSet, TAG.sopClass) ?? '']
}

function validateGroup(group: MultiplexGroup, where: string, limits: Limits): FamilyFinding[] {
  const found: FamilyFinding[] = []
  const add = (rule: string, severity: FamilyFinding['severity'], detail: string, tag: string) =>
    found.push({ rule: `${ID}:${rule}`, severity, detail: `${where}: ${detail}`, tag: `54000100.${tag}` })
  if (group.data === undefined) add('no-data', 'warning', 'no Waveform Data', '54001010')
  else {
    const expected = (group.channelCount * group.sampleCount * group.bitsAllocated) / 8
    const surplus = group.data.length - expected
    if (surplus < 0) add('data-short', 'warning', `${group.data.length} bytes where ${expected} are due`, '54001010')
    else if (surplus > 1) add('data-long', 'warning', `${surplus} bytes more than are due`, '54001010')
  }
  if (group.channels.length !== group.channelCount) {
    const detail = `${group.channels.length} channels are defined, ${group.channelCount} are stored`
    add('channel-count', 'warning', detail, '003A0200')
  }
  if (group.channels.some(({ source, name }) => source === undefined && name === '')) {
    add('channel-unnamed', 'warning', 'a channel does not say which lead it is', '003A0200')
  }
  if (group.channels.some(({ sensitivity, unit }) => sensitivity === undefined || unit === undefined)) {
    add('no-scale', 'warning', 'a channel has no sensitivity or unit: its height means nothing', '003A0200')
  }
  if (group.channelCount > limits.channels) {
    add('channels', 'info', `${group.channelCount} channels, ${limits.name} has at most ${limits.channels}`, '003A0005')
  }
  if (limits.samples !== undefined && group.sampleCount > limits.samples) {
    add('samples', 'info', `${group.sampleCount} samples, ${limits.name} has at most ${limits.samples}`, '003A0010')
  }
  if (group.frequency <= 0) add('frequency', 'warning', 'no sampling frequency', '003A001A')
  else if (limits.frequency !== undefined) {
    const [from, to] = limits.frequency
    if (group.frequency < from || group.frequency > to) {
      add('frequency', 'info', `${group.frequency} Hz, ${limits.name} has ${from} to ${to}`, '003A001A')
    }
  }
  if (!limits.interpretations.includes(group.interpretation)) {
    add('interpretation', 'info', `samples are ${group.interpretation || 'of no kind'}`, '54001006')
  }
  return found
}

function validate(dataSet: DataSet): FamilyFinding[] {
  const limits = limitsOf(dataSet)
  if (limits === undefined) return []
  const groups = multiplexGroups(dataSet)
  if (groups.length === 0) {
    return [{ rule: `${ID}:no-waveform`, severity: 'warning', detail: 'no waveform', tag: '54000100' }]
  }
  const found = groups.flatMap((group, index) => validateGroup(group, `group ${index + 1}`, limits))
  if (groups.length > limits.groups) {
    const detail = `${groups.length} groups, ${limits.name} has at most ${limits.groups}`
    found.push({ rule: `${ID}:groups`, severity: 'info', detail, tag: '54000100' })
  }
  return found
}

/** `RR Interval` becomes `rr-interval`. */
function nameOf(concept: Code): string {
  const known = MEASUREMENTS[`${concept.scheme} ${concept.value}`]
  if (known !== undefined) return known
  const plain = concept.meaning.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return plain.replace(/^-|-$/g, '') || 'measurement'
}

function annotationFact(item: DataSet, path: string): Fact | undefined {
  const concept = codeOf(item, TAG.conceptName)
  const value = number(item, TAG.numericValue)
  if (concept !== undefined && value !== null) {
    const unit = codeOf(item, TAG.units)
    const more = unit === undefined ? {} : { unit: unit.value }
    return { family: ID, name: nameOf(concept), code: concept, value, path, ...more }
  }
  const statement = text(item, TAG.textValue)
  if (statement !== null) return { family: ID, name: 'statement', value: statement, path }
  const coded = codeOf(item, TAG.conceptCode) ?? concept
  if (coded === undefined) return undefined
  return { family: ID, name: 'statement', code: coded, value: coded.meaning || coded.value, path }
}

function facts(dataSet: DataSet): Fact[] {
  const found: Fact[] = []
  const leads = new Set<string>()
  multiplexGroups(dataSet).forEach((group, index) => {
    const path = `54000100/${index + 1}`
    const add = (name: string, value: string | number | undefined, unit?: string) => {
      if (value === undefined || value === '' || value === 0) return
      found.push({ family: ID, name, value, path, ...(unit === undefined ? {} : { unit }) })
    }
    add('channels', group.channelCount, '1')
    add('sampling-frequency', group.frequency, 'Hz')
    add('duration', durationOf(group), 's')
    add('group', group.label)
    add('originality', group.originality)
    for (const one of ['filterLow', 'filterHigh', 'filterNotch'] as const) {
      const values = new Set(group.channels.map((channel) => channel[one]))
      const name = { filterLow: 'filter-low', filterHigh: 'filter-high', filterNotch: 'filter-notch' }[one]
      for (const value of values) add(name, value, 'Hz')
    }
    group.channels.forEach((channel, which) => {
      if (channel.name === '' || leads.has(channel.name)) return
      leads.add(channel.name)
      const code = channel.source === undefined ? {} : { code: channel.source }
      found.push({ family: ID, name: 'lead', value: channel.name, path: `${path}/003A0200/${which + 1}`, ...code })
    })
  })
  sequence(dataSet, TAG.annotations).forEach((item, index) => {
    const fact = annotationFact(item, `0040B020/${index + 1}`)
    if (fact !== undefined) found.push(fact)
  })
  return found
}

/** Measurements shown first, in this order. */
const SHOWN = ['heart-rate', 'rr-interval', 'pr-interval', 'qrs-duration', 'qt-interval', 'qtc-interval']

function summary(dataSet: DataSet): Summary {
  const groups = multiplexGroups(dataSet)
  const lines = groups.map((group) => {
    const seconds = Math.round(durationOf(group) * 10) / 10
    return `${group.channelCount} channels, ${seconds} s at ${group.frequency} Hz`
  })
  const all = facts(dataSet)
  const measured = SHOWN.flatMap((name) => all.filter((fact) => fact.name === name).slice(0, 1))
  if (measured.length > 0) {
    const words = measured.map((fact) => `${fact.code?.meaning || fact.name} ${fact.value} ${fact.unit ?? ''}`.trim())
    lines.push(words.join(', '))
  }
  const statement = all.find(({ name }) => name === 'statement')
  if (statement !== undefined) lines.push(String(statement.value))
  return { title: limitsOf(dataSet)?.name ?? 'ECG', lines }
}

/** 12-lead, general, ambulatory and 32-bit ECG. PS3.3 A.34; Supplement 30. */
export const ecgs: ObjectFamily = {
  id: ID,
  version: 1,
  recognise: (sopClassUID) => Object.hasOwn(CLASSES, sopClassUID),
  validate,
  facts,
  summary,
}
