import { type Elements, namedUid, pseudoRandom } from './demo-patient-elements.ts'
import { type DemoStudy, patientAndStudy, seriesAndInstance } from './demo-patient-identity.ts'

/** What to draw: `size` rows and columns of pixels, `slices` of them. */
export interface CtOptions {
  readonly size: number
  readonly slices: number
}

/** Inside of an ellipse with its centre and half axes in millimetres from the middle of the body. */
interface Ellipse {
  readonly x: number
  readonly y: number
  readonly a: number
  readonly b: number
  readonly hounsfield: number
}

const FIELD_MM = 360
const SLICE_MM = 5

/** A chest, roughly: later entries lie over earlier ones. `level` goes from 0 (top) to 1 (bottom). */
function anatomy(level: number): Ellipse[] {
  const lung = 0.55 + 0.45 * Math.sin(Math.PI * Math.min(1, level + 0.1))
  const heart = Math.max(0, Math.sin(Math.PI * (level - 0.25) * 1.4))
  const lesion = Math.max(0, 1 - Math.abs(level - 0.45) * 12)
  return [
    { x: 0, y: 0, a: 165, b: 115, hounsfield: -100 },
    { x: 0, y: 0, a: 150, b: 100, hounsfield: 45 },
    { x: -72, y: -5, a: 62 * lung, b: 78 * lung, hounsfield: -840 },
    { x: 72, y: -5, a: 62 * lung, b: 78 * lung, hounsfield: -840 },
    { x: 22, y: -28, a: 58 * heart, b: 46 * heart, hounsfield: 60 },
    { x: 30, y: -24, a: 26 * heart, b: 20 * heart, hounsfield: 280 },
    { x: 22, y: 52, a: 13, b: 13, hounsfield: 310 },
    { x: 0, y: 68, a: 22, b: 19, hounsfield: 420 },
    { x: 0, y: 66, a: 12, b: 10, hounsfield: 180 },
    { x: 0, y: 88, a: 9, b: 8, hounsfield: 30 },
    { x: 0, y: 106, a: 5, b: 10, hounsfield: 600 },
    { x: 0, y: -30, a: 9, b: 8, hounsfield: level < 0.35 ? -1000 : 60 },
    { x: -84, y: 12, a: 9 * lesion, b: 9 * lesion, hounsfield: 70 },
  ]
}

function draw(size: number, level: number, random: () => number): Uint8Array {
  const shapes = anatomy(level).filter(({ a, b }) => a > 0 && b > 0)
  const bytes = new Uint8Array(size * size * 2)
  const view = new DataView(bytes.buffer)
  const step = FIELD_MM / size
  for (let row = 0; row < size; row++) {
    const y = (row - size / 2) * step
    for (let column = 0; column < size; column++) {
      const x = (column - size / 2) * step
      let value = -1000
      for (const { x: cx, y: cy, a, b, hounsfield } of shapes) {
        const dx = (x - cx) / a
        const dy = (y - cy) / b
        if (dx * dx + dy * dy < 1) value = hounsfield
      }
      // Ribs: short arcs in the wall of the chest that move with the level.
      const wall = Math.hypot(x / 156, y / 106)
      if (wall > 0.95 && wall < 1.02 && Math.sin(Math.atan2(y, x) * 11 + level * 25) > 0.45) value = 700
      const noise = (random() + random() + random() - 1.5) * 24
      view.setInt16((row * size + column) * 2, Math.max(-1024, Math.round(value + noise)) + 1024, true)
    }
  }
  return bytes
}

/** CT Image IOD, PS3.3 A.3: one slice, its pixels in Hounsfield units plus 1024. `slice` counts from 0. */
export function ctSlice(study: DemoStudy, slice: number, { size, slices }: CtOptions): Elements {
  const spacing = FIELD_MM / size
  const z = -slice * SLICE_MM
  return {
    ...patientAndStudy(study),
    ...seriesAndInstance(
      study,
      { name: 'ct', number: 2, modality: 'CT', description: 'Chest 5 mm' },
      { sopClass: '1.2.840.10008.5.1.4.1.1.2', number: slice + 1 },
    ),
    ImageType: ['ORIGINAL', 'PRIMARY', 'AXIAL'],
    AcquisitionDate: study.date,
    AcquisitionTime: study.time,
    BodyPartExamined: 'CHEST',
    PatientPosition: 'HFS',
    ProtocolName: 'Chest with contrast',
    ContrastBolusAgent: 'Synthetic contrast',
    FrameOfReferenceUID: namedUid(`${study.name} frame of reference`),
    PositionReferenceIndicator: '',
    AcquisitionNumber: '1',
    KVP: '120',
    ExposureTime: '500',
    XRayTubeCurrent: '180',
    SliceThickness: String(SLICE_MM),
    SliceLocation: String(z),
    PixelSpacing: [spacing.toFixed(6), spacing.toFixed(6)],
    ImageOrientationPatient: ['1', '0', '0', '0', '1', '0'],
    ImagePositionPatient: [String(-FIELD_MM / 2), String(-FIELD_MM / 2), String(z)],
    SamplesPerPixel: 1,
    PhotometricInterpretation: 'MONOCHROME2',
    Rows: size,
    Columns: size,
    BitsAllocated: 16,
    BitsStored: 12,
    HighBit: 11,
    PixelRepresentation: 0,
    RescaleIntercept: '-1024',
    RescaleSlope: '1',
    RescaleType: 'HU',
    WindowCenter: ['40', '-600'],
    WindowWidth: ['400', '1500'],
    WindowCenterWidthExplanation: ['Soft tissue', 'Lung'],
    LossyImageCompression: '00',
    IrradiationEventUID: namedUid(`${study.name} irradiation 2`),
    PixelData: draw(size, slices < 2 ? 0.5 : slice / (slices - 1), pseudoRandom(slice + 1)),
  }
}
