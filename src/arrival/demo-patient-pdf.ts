import { Buffer } from 'node:buffer'
import { code, type Elements } from './demo-patient-elements.ts'
import { type DemoStudy, patientAndStudy, seriesAndInstance } from './demo-patient-identity.ts'

/** Objects of a PDF by number from 1, without `obj` and `endobj`. */
export type PdfObjects = readonly string[]

/** Writes a PDF 1.4 file with a classic cross-reference table; the first object is the catalog. */
export function writePdf(objects: PdfObjects): Uint8Array {
  const header = '%PDF-1.4\n%\u00e2\u00e3\u00cf\u00d3\n'
  let body = header
  const offsets: number[] = []
  objects.forEach((object, index) => {
    offsets.push(body.length)
    body += `${index + 1} 0 obj\n${object}\nendobj\n`
  })
  const start = body.length
  const rows = offsets.map((offset) => `${String(offset).padStart(10, '0')} 00000 n \n`).join('')
  body += `xref\n0 ${objects.length + 1}\n0000000000 65535 f \n${rows}`
  body += `trailer\n<< /Size ${objects.length + 1} /Root 1 0 R >>\nstartxref\n${start}\n%%EOF\n`
  return Buffer.from(body, 'latin1')
}

function escaped(text: string): string {
  return text.replace(/[\\()]/g, '\\$&')
}

/**
 * Objects of a PDF with one page of Helvetica text.
 *
 * @param catalog more entries of the catalog dictionary
 * @param more objects from number 6 on
 */
export function pageOfText(lines: readonly string[], catalog = '', more: PdfObjects = []): PdfObjects {
  const text = lines.map((line) => `(${escaped(line)}) Tj T*`).join('\n')
  const content = `BT\n/F1 12 Tf\n16 TL\n72 770 Td\n${text}\nET`
  return [
    `<< /Type /Catalog /Pages 2 0 R ${catalog}>>`,
    '<< /Type /Pages /Kids [3 0 R] /Count 1 >>',
    '<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Resources << /Font << /F1 5 0 R >> >> /Contents 4 0 R >>',
    `<< /Length ${content.length} >>\nstream\n${content}\nendstream`,
    '<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>',
    ...more,
  ]
}

export interface DocumentOptions {
  readonly title: string
  readonly bytes: Uint8Array
  /** Says its own length in (0042,0015). */
  readonly length?: boolean
}

/** Encapsulated PDF IOD, PS3.3 A.45.1. */
export function encapsulatedPdf(study: DemoStudy, { title, bytes, length = true }: DocumentOptions): Elements {
  return {
    ...patientAndStudy(study),
    ...seriesAndInstance(
      study,
      { name: 'report', number: 5, modality: 'DOC', description: 'Report' },
      { sopClass: '1.2.840.10008.5.1.4.1.1.104.1', number: 1 },
    ),
    AcquisitionDateTime: '',
    ConversionType: 'WSD',
    BurnedInAnnotation: 'YES',
    DocumentTitle: title,
    ConceptNameCodeSequence: code('18748-4', 'LN', 'Diagnostic imaging study'),
    MIMETypeOfEncapsulatedDocument: 'application/pdf',
    EncapsulatedDocument: bytes,
    ...(length ? { EncapsulatedDocumentLength: bytes.length } : {}),
  }
}

/** The report of the demonstration patient. */
export function demoReport(study: DemoStudy): Uint8Array {
  return writePdf(
    pageOfText([
      'Diptych Demonstration Hospital',
      '',
      'Radiology report (synthetic, about nobody)',
      `Patient: Demo Diptych, ${study.patientId}`,
      `Accession number: ${study.accessionNumber}`,
      '',
      'CT of the chest with contrast.',
      'Findings: a round lesion of 18 mm in the right lung. Heart of normal size.',
      'Impression: made by a program to have something to look at.',
    ]),
  )
}
