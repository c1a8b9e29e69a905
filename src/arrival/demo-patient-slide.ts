import { Buffer } from 'node:buffer'
import { code, type Elements, type Fragments, namedUid, pseudoRandom } from './demo-patient-elements.ts'
import { type DemoStudy, patientAndStudy, seriesAndInstance } from './demo-patient-identity.ts'

/** A slide of square tiles, in tiles and pixels. */
export interface SlideOptions {
  readonly tile: number
  readonly across: number
  readonly down: number
  /** Compressed tiles instead of the native pixels: JPEG baseline with 4:2:2 chroma. */
  readonly fragments?: Fragments
  /** Another class than VL Whole Slide Microscopy. */
  readonly sopClass?: string
}

const MICROMETRES_PER_PIXEL = 0.5

/** Bytes of an RGB tile, row by row: pink tissue with dark nuclei on a bright ground. */
export function slideTile({ tile, across, down }: SlideOptions, index: number): Uint8Array {
  const random = pseudoRandom(7)
  const width = tile * across
  const height = tile * down
  const nuclei = Array.from({ length: 60 }, () => ({
    x: random() * width,
    y: random() * height,
    radius: (0.008 + random() * 0.012) * width,
  }))
  const bytes = new Uint8Array(tile * tile * 3)
  const left = (index % across) * tile
  const top = Math.floor(index / across) * tile
  for (let row = 0; row < tile; row++) {
    for (let column = 0; column < tile; column++) {
      const x = left + column
      const y = top + row
      const fromMiddle = Math.hypot((x - width / 2) / (width * 0.42), (y - height / 2) / (height * 0.38))
      const ripple = 0.08 * Math.sin(x / 9) * Math.cos(y / 13)
      const tissue = fromMiddle + ripple < 1
      const nucleus = tissue && nuclei.some((one) => (one.x - x) ** 2 + (one.y - y) ** 2 < one.radius ** 2)
      const shade = 8 * Math.sin(x / 5 + y / 7)
      const colour = nucleus ? [92, 58, 140] : tissue ? [226 + shade, 150 + shade, 190 + shade] : [244, 243, 246]
      bytes.set(colour, (row * tile + column) * 3)
    }
  }
  return bytes
}

/** A minimal ICC profile of an RGB display with the primaries of sRGB and a plain gamma of 2.2. ICC.1:2001-04. */
export function iccProfile(): Uint8Array {
  const fixed = (value: number) => Math.round(value * 65536)
  const xyz = (x: number, y: number, z: number) => {
    const bytes = Buffer.alloc(20)
    bytes.write('XYZ ', 0, 'latin1')
    for (const [index, value] of [x, y, z].entries()) bytes.writeInt32BE(fixed(value), 8 + index * 4)
    return bytes
  }
  const gamma = Buffer.from([0x63, 0x75, 0x72, 0x76, 0, 0, 0, 0, 0, 0, 0, 1, 0x02, 0x33, 0, 0])
  const description = Buffer.alloc(12 + 8 + 78 + 2)
  description.write('desc', 0, 'latin1')
  description.writeUInt32BE(8, 8)
  description.write('Diptych\0', 12, 'latin1')
  const copyright = Buffer.from('text\0\0\0\0CC0\0', 'latin1')
  const tags: [string, Buffer][] = [
    ['desc', description],
    ['cprt', copyright],
    ['wtpt', xyz(0.9505, 1, 1.0891)],
    ['rXYZ', xyz(0.4361, 0.2225, 0.0139)],
    ['gXYZ', xyz(0.3851, 0.7169, 0.0971)],
    ['bXYZ', xyz(0.1431, 0.0606, 0.7141)],
    ['rTRC', gamma],
    ['gTRC', gamma],
    ['bTRC', gamma],
  ]
  const table = Buffer.alloc(4 + tags.length * 12)
  table.writeUInt32BE(tags.length, 0)
  let offset = 128 + table.length
  for (const [index, [name, data]] of tags.entries()) {
    table.write(name, 4 + index * 12, 'latin1')
    table.writeUInt32BE(offset, 8 + index * 12)
    table.writeUInt32BE(data.length, 12 + index * 12)
    offset += data.length
  }
  const head = Buffer.alloc(128)
  head.writeUInt32BE(offset, 0)
  head.writeUInt32BE(0x02400000, 8)
  head.write('mntrRGB XYZ ', 12, 'latin1')
  for (const [index, value] of [2026, 1, 5, 0, 0, 0].entries()) head.writeUInt16BE(value, 24 + index * 2)
  head.write('acsp', 36, 'latin1')
  for (const [index, value] of [0.9642, 1, 0.8249].entries()) head.writeInt32BE(fixed(value), 68 + index * 4)
  return Buffer.concat([head, table, ...tags.map(([, data]) => data)])
}

/** VL Whole Slide Microscopy Image IOD, PS3.3 A.32.8, dimension organization TILED_FULL. */
export function slide(study: DemoStudy, options: SlideOptions): Elements {
  const { tile, across, down, fragments } = options
  const tiles = Array.from({ length: across * down }, (_, index) => index)
  const spacing = String(MICROMETRES_PER_PIXEL / 1000)
  const imageType = ['ORIGINAL', 'PRIMARY', 'VOLUME', 'NONE']
  return {
    ...patientAndStudy(study),
    ...seriesAndInstance(
      study,
      { name: 'slide', number: 1, modality: 'SM', description: 'H&E' },
      { sopClass: options.sopClass ?? '1.2.840.10008.5.1.4.1.1.77.1.6', number: 1 },
    ),
    ImageType: imageType,
    AcquisitionDateTime: `${study.date}${study.time}`,
    AcquisitionContextSequence: [],
    FrameOfReferenceUID: namedUid(`${study.name} slide frame of reference`),
    PositionReferenceIndicator: 'SLIDE_CORNER',
    ContainerIdentifier: 'DEMO-S1',
    IssuerOfTheContainerIdentifierSequence: [],
    ContainerTypeCodeSequence: code('433466003', 'SCT', 'Microscope slide'),
    SpecimenDescriptionSequence: [
      {
        SpecimenIdentifier: 'DEMO-S1-A',
        IssuerOfTheSpecimenIdentifierSequence: [],
        SpecimenUID: namedUid(`${study.name} specimen`),
        SpecimenPreparationSequence: [],
      },
    ],
    DimensionOrganizationType: 'TILED_FULL',
    DimensionOrganizationSequence: [{ DimensionOrganizationUID: namedUid(`${study.name} dimensions`) }],
    SharedFunctionalGroupsSequence: [
      {
        PixelMeasuresSequence: [{ PixelSpacing: [spacing, spacing], SliceThickness: '0.004' }],
        OpticalPathIdentificationSequence: [{ OpticalPathIdentifier: '1' }],
        WholeSlideMicroscopyImageFrameTypeSequence: [{ FrameType: imageType }],
      },
    ],
    ImagedVolumeWidth: (tile * across * MICROMETRES_PER_PIXEL) / 1000,
    ImagedVolumeHeight: (tile * down * MICROMETRES_PER_PIXEL) / 1000,
    ImagedVolumeDepth: 4,
    TotalPixelMatrixColumns: tile * across,
    TotalPixelMatrixRows: tile * down,
    TotalPixelMatrixFocalPlanes: 1,
    TotalPixelMatrixOriginSequence: [{ XOffsetInSlideCoordinateSystem: '20', YOffsetInSlideCoordinateSystem: '40' }],
    ImageOrientationSlide: ['0', '-1', '0', '-1', '0', '0'],
    NumberOfFrames: String(tiles.length),
    Rows: tile,
    Columns: tile,
    SamplesPerPixel: 3,
    PhotometricInterpretation: fragments === undefined ? 'RGB' : 'YBR_FULL_422',
    PlanarConfiguration: 0,
    BitsAllocated: 8,
    BitsStored: 8,
    HighBit: 7,
    PixelRepresentation: 0,
    BurnedInAnnotation: 'NO',
    ...(fragments === undefined
      ? { LossyImageCompression: '00' }
      : {
          LossyImageCompression: '01',
          LossyImageCompressionRatio: '20',
          LossyImageCompressionMethod: 'ISO_10918_1',
        }),
    VolumetricProperties: 'VOLUME',
    SpecimenLabelInImage: 'NO',
    FocusMethod: 'AUTO',
    ExtendedDepthOfField: 'NO',
    NumberOfOpticalPaths: 1,
    OpticalPathSequence: [
      {
        OpticalPathIdentifier: '1',
        OpticalPathDescription: 'Brightfield',
        IlluminationTypeCodeSequence: code('111744', 'DCM', 'Brightfield illumination'),
        IlluminationColorCodeSequence: code('414298005', 'SCT', 'Full Spectrum'),
        ICCProfile: iccProfile(),
      },
    ],
    'PixelData OB': fragments ?? Buffer.concat(tiles.map((index) => slideTile(options, index))),
  }
}
