import { setImmediate } from 'node:timers/promises'
import { ctSlice } from './demo-patient-ct.ts'
import { DEMO_DOSE, doseReport } from './demo-patient-dose.ts'
import { ecg } from './demo-patient-ecg.ts'
import { namedUid } from './demo-patient-elements.ts'
import { disguiseAsProgram, PROGRAM_PLACE } from './demo-patient-held.ts'
import { DEMO_PATIENT, type DemoStudy } from './demo-patient-identity.ts'
import { demoReport, encapsulatedPdf } from './demo-patient-pdf.ts'
import { type SlideOptions, slide } from './demo-patient-slide.ts'
import { withTiffPersonality } from './demo-patient-tiff.ts'
import { writeElements } from './demo-patient-write.ts'

/** A file of the demonstration patient, as if it stood on a disc. */
export interface DemoFile {
  /** Path on the disc, `/` as separator. */
  readonly name: string
  readonly bytes: Uint8Array
}

const CT: DemoStudy = {
  ...DEMO_PATIENT,
  date: '20260105',
  time: '093000',
  accessionNumber: 'DEMO-A1',
  studyId: 'CT1',
  description: 'CT of the chest with contrast',
  name: 'demo ct',
}

const HEART: DemoStudy = {
  ...DEMO_PATIENT,
  date: '20260104',
  time: '141500',
  accessionNumber: 'DEMO-A2',
  studyId: 'ECG1',
  description: 'ECG at rest',
  name: 'demo ecg',
}

const PATHOLOGY: DemoStudy = {
  ...DEMO_PATIENT,
  date: '20260112',
  time: '110000',
  accessionNumber: 'DEMO-A3',
  studyId: 'SM1',
  description: 'Biopsy of the lung',
  name: 'demo slide',
}

const SLICES = 24
const SLICE_SIZE = 256
const SLIDE: SlideOptions = { tile: 256, across: 3, down: 2 }

function slideWithTiff(): Uint8Array {
  const file = writeElements(slide(PATHOLOGY, SLIDE))
  const { tile, across, down } = SLIDE
  const tileBytes = tile * tile * 3
  // Pixel Data is the last element, so its value ends where the file ends.
  const start = file.length - tileBytes * across * down
  return withTiffPersonality(file, {
    byteOrder: 'II',
    big: false,
    width: tile * across,
    height: tile * down,
    tileWidth: tile,
    tileHeight: tile,
    samplesPerPixel: 3,
    bitsPerSample: 8,
    photometric: 2,
    compression: 1,
    tiles: Array.from({ length: across * down }, (_, index) => ({
      offset: start + index * tileBytes,
      length: tileBytes,
    })),
  })
}

/** A CT slice that would be a Windows program too, if it had a program in it. Rule P2 holds it. */
function heldSlice(): Uint8Array {
  const elements = {
    ...ctSlice(CT, 0, { size: SLICE_SIZE, slices: SLICES }),
    SeriesInstanceUID: namedUid('demo held series'),
    SOPInstanceUID: namedUid('demo held instance'),
    SeriesNumber: '66',
    SeriesDescription: 'Held on purpose',
    '00090010 LO': 'DIPTYCH DEMO',
    '00091001 OB': PROGRAM_PLACE,
  }
  return disguiseAsProgram(writeElements(elements))
}

/**
 * The synthetic patient: a CT series, a dose report, a report, an ECG, a slide that is a TIFF too, and one file that is
 * held on purpose. The same bytes every time, so that loading it twice stores nothing twice.
 */
export async function* demoPatient(): AsyncGenerator<DemoFile> {
  for (let slice = 0; slice < SLICES; slice++) {
    yield {
      name: `CT/IM${String(slice + 1).padStart(4, '0')}`,
      bytes: writeElements(ctSlice(CT, slice, { size: SLICE_SIZE, slices: SLICES })),
    }
    // Drawing a slice takes a while; whoever else is on this thread gets a turn.
    await setImmediate()
  }
  yield { name: 'CT/DOSE', bytes: writeElements(doseReport(CT, DEMO_DOSE)) }
  const report = { title: 'CT report', bytes: demoReport(CT) }
  yield { name: 'CT/REPORT', bytes: writeElements(encapsulatedPdf(CT, report)) }
  yield { name: 'HELD/IM0001', bytes: heldSlice() }
  const rest = { kind: '12-lead', seconds: 10, samplesPerSecond: 500, beatsPerMinute: 68 } as const
  yield { name: 'ECG/REST', bytes: writeElements(ecg(HEART, rest)) }
  await setImmediate()
  yield { name: 'SLIDE/HE', bytes: slideWithTiff() }
}
