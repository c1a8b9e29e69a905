import type { CodedValue } from '../code-systems.ts'

/** ITI TF-3 section 4.2.3.2.9 and the registry of IHE format codes. */
export const IHE_FORMAT_CODES = 'http://ihe.net/fhir/ihe.formatcode.fhir/CodeSystem/formatcode'

/** What a document has whose media type says all. ITI TF-3 section 4.2.3.2.9. */
export const MIME_TYPE_SUFFICIENT: CodedValue = {
  code: 'urn:ihe:iti:xds:2017:mimeTypeSufficient',
  system: IHE_FORMAT_CODES,
  display: 'mimeType sufficient',
}

export interface CdaShape {
  /** `root` or `root:extension`. */
  readonly templates: readonly string[]
  readonly body: 'structured' | 'unstructured' | null
  readonly bodyMediaType: string | null
}

/** Document templates of IHE profiles with the format code their profile gives. The first that is met counts. */
const byTemplate: readonly { readonly template: string; readonly code: string; readonly display: string }[] = [
  {
    template: '1.3.6.1.4.1.19376.1.4.1.1.1',
    code: 'urn:ihe:rad:CDA:ImagingReportStructuredHeadings:2013',
    display: 'Imaging report with structured headings',
  },
  { template: '1.3.6.1.4.1.19376.1.3.3', code: 'urn:ihe:lab:xd-lab:2008', display: 'Laboratory report' },
  {
    template: '1.3.6.1.4.1.19376.1.5.3.1.1.5',
    code: 'urn:ihe:pcc:xphr:2007',
    display: 'Exchange of personal health records',
  },
  { template: '1.3.6.1.4.1.19376.1.5.3.1.1.7', code: 'urn:ihe:iti:bppc:2007', display: 'Privacy consent' },
  { template: '1.3.6.1.4.1.19376.1.5.3.1.1.2', code: 'urn:ihe:pcc:xds-ms:2007', display: 'Medical summary' },
]

const XDS_SD = '1.3.6.1.4.1.19376.1.2.20'
const US_REALM_HEADER = '2.16.840.1.113883.10.20.22.1.1'
const UNSTRUCTURED = '2.16.840.1.113883.10.20.22.1.10'

/**
 * The format code of a CDA document, by its templates and its body. XDS-SD: ITI TF-3 section 5.2; C-CDA: HL7 document
 * format codes, which know releases 1.1 and 2.1 only; others have the one that says nothing.
 */
export function cdaFormatCode({ templates, body, bodyMediaType }: CdaShape): CodedValue {
  const roots = new Map<string, string>()
  for (const template of templates) {
    const colon = template.indexOf(':')
    const root = colon < 0 ? template : template.slice(0, colon)
    const extension = colon < 0 ? '' : template.slice(colon + 1)
    // A document may state several releases of one template: the newest counts.
    if ((roots.get(root) ?? '') <= extension) roots.set(root, extension)
  }
  if (roots.has(XDS_SD)) {
    const form = bodyMediaType === 'text/plain' ? 'text' : 'pdf'
    return coded(`urn:ihe:iti:xds-sd:${form}:2008`, `Scanned document (${form})`)
  }
  for (const { template, code, display } of byTemplate) if (roots.has(template)) return coded(code, display)
  const release = roots.get(US_REALM_HEADER) ?? roots.get(UNSTRUCTURED)
  if (release === undefined) return MIME_TYPE_SUFFICIENT
  const version = release >= '2014-06-09' ? '2.1' : '1.1'
  const form = body === 'unstructured' || (body === null && roots.has(UNSTRUCTURED)) ? 'nonXMLBody' : 'structuredBody'
  return coded(`urn:hl7-org:sdwg:ccda-${form}:${version}`, `C-CDA ${version}`)
}

function coded(code: string, display: string): CodedValue {
  return { code, system: IHE_FORMAT_CODES, display }
}
