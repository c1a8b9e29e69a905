import { code, type Elements, pseudoRandom } from './demo-patient-elements.ts'
import { type DemoStudy, patientAndStudy, seriesAndInstance } from './demo-patient-identity.ts'

/** Leads in the order they are stored, with their code in MDC (ISO/IEEE 11073-10102), PS3.16 CID 3001. */
const LEADS = [
  ['2:1', 'Lead I'],
  ['2:2', 'Lead II'],
  ['2:61', 'Lead III'],
  ['2:62', 'Lead aVR'],
  ['2:63', 'Lead aVL'],
  ['2:64', 'Lead aVF'],
  ['2:3', 'Lead V1'],
  ['2:4', 'Lead V2'],
  ['2:5', 'Lead V3'],
  ['2:6', 'Lead V4'],
  ['2:7', 'Lead V5'],
  ['2:8', 'Lead V6'],
] as const

/** Microvolts of one step of a sample. */
const SENSITIVITY_UV = 2.5

/** A wave of the heart beat: centre and width in seconds from the R peak, height in microvolts in each lead. */
interface Wave {
  readonly at: number
  readonly width: number
  /** I, II, V1 to V6; the other limb leads follow from I and II. */
  readonly height: readonly number[]
}

const WAVES: readonly Wave[] = [
  { at: -0.16, width: 0.025, height: [70, 120, 50, 60, 60, 60, 60, 55] },
  { at: -0.028, width: 0.008, height: [-50, -60, 0, 0, -20, -50, -70, -60] },
  { at: 0, width: 0.011, height: [700, 1100, 220, 480, 800, 1400, 1300, 950] },
  { at: 0.028, width: 0.01, height: [-90, -170, -850, -1250, -800, -420, -200, -90] },
  { at: 0.27, width: 0.045, height: [190, 280, -40, 280, 360, 350, 290, 210] },
]

/** Microvolts in leads I, II, V1 to V6 at a time in seconds after the last R peak. */
function beat(time: number, period: number, lead: number): number {
  let sum = 0
  for (const { at, width, height } of WAVES) {
    for (const distance of [time - at, time - at - period]) {
      sum += height[lead]! * Math.exp(-(distance * distance) / (2 * width * width))
    }
  }
  return sum
}

export interface EcgOptions {
  readonly seconds: number
  readonly samplesPerSecond: number
  readonly beatsPerMinute: number
  /** `12-lead`: all twelve; `general`: leads I, II and V1. */
  readonly kind: '12-lead' | 'general'
}

function samples(options: EcgOptions, leads: readonly number[]): Uint8Array {
  const count = options.seconds * options.samplesPerSecond
  const bytes = new Uint8Array(count * leads.length * 2)
  const view = new DataView(bytes.buffer)
  const random = pseudoRandom(options.beatsPerMinute)
  const period = 60 / options.beatsPerMinute
  for (let index = 0; index < count; index++) {
    const time = index / options.samplesPerSecond
    const phase = ((time + 0.3) % period) - 0.25
    const wander = 18 * Math.sin(time * 1.5)
    const measured = [0, 1, 2, 3, 4, 5, 6, 7].map((lead) => beat(phase, period, lead) + wander + (random() - 0.5) * 8)
    const [one = 0, two = 0] = measured
    const all = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2, ...measured.slice(2)]
    leads.forEach((lead, channel) => {
      view.setInt16((index * leads.length + channel) * 2, Math.round(all[lead]! / SENSITIVITY_UV), true)
    })
  }
  return bytes
}

function channel([value, meaning]: readonly [string, string]): Elements {
  return {
    ChannelSourceSequence: code(value, 'MDC', meaning),
    ChannelSensitivity: String(SENSITIVITY_UV),
    ChannelSensitivityUnitsSequence: code('uV', 'UCUM', 'microvolt'),
    ChannelSensitivityCorrectionFactor: '1',
    ChannelBaseline: '0',
    ChannelSampleSkew: '0',
    WaveformBitsStored: 16,
    FilterLowFrequency: '0.05',
    FilterHighFrequency: '150',
    NotchFilterFrequency: '50',
  }
}

/** SCP-ECG codes need their version. PS3.16 section 8. */
function scpEcg(value: string, meaning: string): readonly Elements[] {
  return code(value, 'SCPECG', meaning).map((item) => ({ ...item, CodingSchemeVersion: '1.3' }))
}

function measurement(value: string, concept: readonly Elements[], unit: readonly Elements[]): Elements {
  return {
    ReferencedWaveformChannels: [1, 0],
    AnnotationGroupNumber: 1,
    ConceptNameCodeSequence: concept,
    MeasurementUnitsCodeSequence: unit,
    NumericValue: value,
  }
}

/** 12-lead or General ECG IOD, PS3.3 A.34.3 and A.34.4: sinus rhythm. */
export function ecg(study: DemoStudy, options: EcgOptions): Elements {
  const twelve = options.kind === '12-lead'
  const leads = twelve ? LEADS.map((_, index) => index) : [0, 1, 6]
  const ms = code('ms', 'UCUM', 'millisecond')
  const rr = Math.round(60_000 / options.beatsPerMinute)
  return {
    ...patientAndStudy(study),
    ...seriesAndInstance(
      study,
      { name: options.kind, number: 1, modality: 'ECG', description: twelve ? '12-lead ECG at rest' : 'ECG strip' },
      { sopClass: `1.2.840.10008.5.1.4.1.1.9.1.${twelve ? 1 : 2}`, number: 1 },
    ),
    AcquisitionDateTime: `${study.date}${study.time}`,
    AcquisitionContextSequence: [],
    WaveformSequence: [
      {
        WaveformOriginality: 'ORIGINAL',
        NumberOfWaveformChannels: leads.length,
        NumberOfWaveformSamples: options.seconds * options.samplesPerSecond,
        SamplingFrequency: String(options.samplesPerSecond),
        MultiplexGroupLabel: 'RHYTHM',
        ChannelDefinitionSequence: leads.map((lead) => channel(LEADS[lead]!)),
        WaveformBitsAllocated: 16,
        WaveformSampleInterpretation: 'SS',
        'WaveformData OW': samples(options, leads),
      },
    ],
    WaveformAnnotationSequence: [
      { ReferencedWaveformChannels: [1, 0], AnnotationGroupNumber: 0, UnformattedTextValue: 'Sinus rhythm' },
      measurement(String(rr), scpEcg('5.10.2.1-3', 'RR Interval'), ms),
      measurement('160', scpEcg('5.13.5-7', 'PR Interval'), ms),
      measurement('92', scpEcg('5.13.5-9', 'QRS Duration'), ms),
      measurement('388', scpEcg('5.13.5-11', 'QT Interval'), ms),
    ],
  }
}
