import { DocumentError } from '../document-error.ts'
import { DEFAULT_XML_LIMITS, readXml } from '../xml/reader.ts'

/** What the beginning of an XML document says it is. */
export type XmlKind =
  | {
      readonly is: 'cda'
      /** `root` or `root:extension`, of the document. */
      readonly templates: readonly string[]
      readonly body: 'structured' | 'unstructured' | null
      /** Of an unstructured body. */
      readonly bodyMediaType: string | null
      readonly encoding: string
    }
  | { readonly is: 'fhir-document' | 'fhir-other' | 'aecg' | 'html' | 'svg' | 'xml'; readonly encoding: string }

const HL7_V3 = 'urn:hl7-org:v3'
const FHIR = 'http://hl7.org/fhir'
const TEMPLATES_MAX = 100

/** Of a CDA document the templates and the body are wanted; of others the root is enough. */
class Head {
  kind: XmlKind | null = null
  encoding = 'utf-8'
  readonly templates: string[] = []
  body: 'structured' | 'unstructured' | null = null
  bodyMediaType: string | null = null
  root: 'cda' | 'fhir' | null = null
  bundleType: string | null = null

  open(name: string, namespace: string, attributes: ReadonlyMap<string, string>, depth: number): 'stop' | undefined {
    if (depth === 1) return this.#root(name, namespace)
    if (this.root === 'fhir') {
      if (depth !== 2 || name !== 'type') return undefined
      this.bundleType = attributes.get('value') ?? ''
      return 'stop'
    }
    if (depth === 2 && name === 'templateId' && this.templates.length < TEMPLATES_MAX) {
      const root = attributes.get('root') ?? ''
      const extension = attributes.get('extension') ?? ''
      if (root !== '') this.templates.push(extension === '' ? root : `${root}:${extension}`)
    } else if (depth === 3 && name === 'structuredBody') {
      this.body = 'structured'
      return 'stop'
    } else if (depth === 3 && name === 'nonXMLBody') this.body = 'unstructured'
    else if (depth === 4 && name === 'text' && this.body === 'unstructured') {
      this.bodyMediaType = attributes.get('mediaType') ?? 'text/plain'
      return 'stop'
    }
    return undefined
  }

  #root(name: string, namespace: string): 'stop' | undefined {
    if (name === 'ClinicalDocument' && namespace === HL7_V3) {
      this.root = 'cda'
      return undefined
    }
    if (name === 'Bundle' && namespace === FHIR) {
      this.root = 'fhir'
      return undefined
    }
    const { encoding } = this
    if (name === 'AnnotatedECG' && namespace === HL7_V3) this.kind = { is: 'aecg', encoding }
    else if (namespace === FHIR) this.kind = { is: 'fhir-other', encoding }
    else if (name.toLowerCase() === 'html') this.kind = { is: 'html', encoding }
    else if (name === 'svg') this.kind = { is: 'svg', encoding }
    else this.kind = { is: 'xml', encoding }
    return 'stop'
  }

  result(): XmlKind | null {
    const { encoding, templates, body, bodyMediaType } = this
    if (this.root === 'cda') return { is: 'cda', templates, body, bodyMediaType, encoding }
    if (this.root === 'fhir') return { is: this.bundleType === 'document' ? 'fhir-document' : 'fhir-other', encoding }
    return this.kind
  }
}

/**
 * @param window the beginning of the document, or all of it
 * @returns null when no element was met: it is no XML as far as can be seen
 */
export function xmlKind(window: Uint8Array): XmlKind | null {
  const head = new Head()
  try {
    readXml(
      window,
      { open: (tag, depth) => head.open(tag.name, tag.namespace, tag.attributes, depth) },
      { ...DEFAULT_XML_LIMITS, bytes: Math.max(1, window.byteLength) },
      {
        partial: true,
        start: (decoded) => {
          head.encoding = decoded.encoding
        },
      },
    )
  } catch (thrown) {
    if (!(thrown instanceof DocumentError)) throw thrown
    // Refused later, by who reads it; what it claims to be is known all the same.
    if (thrown.fault === 'doctype') return { is: 'xml', encoding: head.encoding }
  }
  return head.result()
}
