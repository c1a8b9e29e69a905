/** A client nobody here wrote (npm dicomweb-client) against the real server: store, search, retrieve, frames, bulk data. */
import assert from 'node:assert/strict'
import { createRequire } from 'node:module'
import { after, before, describe, test } from 'node:test'
import { JPEG_BASELINE, part10 } from '../fixtures/dicom-builder.ts'
import { jpeg } from '../fixtures/jpeg.ts'
import { ctSeries, encapsulatedMultiFrame, pdfObject } from '../fixtures/objects.ts'
import { plainPdf } from '../fixtures/pdf.ts'
import { type LiveServer, startServer, temporaryDirectory } from '../live/server.ts'

/** The part of XMLHttpRequest the client uses, over fetch. Relative addresses resolve as they do in a page. */
class PageRequest {
  static page = ''
  responseType = ''
  readyState = 0
  status = 0
  response: unknown = null
  onreadystatechange: (() => void) | null = null
  onprogress: unknown = null
  readonly #headers: { [name: string]: string } = {}
  #method = 'GET'
  #url = ''
  #answer: Response | undefined

  open(method: string, url: string): void {
    this.#method = method.toUpperCase()
    this.#url = new URL(url, PageRequest.page).href
  }

  setRequestHeader(name: string, value: string): void {
    this.#headers[name] = value
  }

  getResponseHeader(name: string): string | null {
    return this.#answer?.headers.get(name) ?? null
  }

  getAllResponseHeaders(): string {
    return [...(this.#answer?.headers ?? [])].map(([name, value]) => `${name}: ${value}`).join('\r\n')
  }

  send(body?: ArrayBuffer): void {
    const init = { method: this.#method, headers: this.#headers, ...(body === undefined ? {} : { body }) }
    fetch(this.#url, init)
      .then(async (answer) => {
        this.#answer = answer
        const bytes = await answer.arrayBuffer()
        const text = this.responseType === 'arraybuffer' ? '' : Buffer.from(bytes).toString()
        this.response = this.responseType === 'json' ? (text === '' ? null : JSON.parse(text)) : text || bytes
        this.status = answer.status
      })
      .catch(() => {
        this.status = 0
      })
      .finally(() => {
        this.readyState = 4
        this.onreadystatechange?.()
      })
  }
}

interface Client {
  storeInstances(options: { datasets: ArrayBuffer[]; studyInstanceUID?: string }): Promise<unknown>
  searchForStudies(options: { queryParams: object }): Promise<{ [tag: string]: { Value: unknown[] } }[]>
  searchForInstances(options: object): Promise<{ [tag: string]: { Value: unknown[] } }[]>
  retrieveStudyMetadata(options: object): Promise<{ [tag: string]: { Value: unknown[]; BulkDataURI: string } }[]>
  retrieveInstance(options: object): Promise<ArrayBuffer>
  retrieveSeries(options: object): Promise<ArrayBuffer[]>
  retrieveInstanceFrames(options: object): Promise<ArrayBuffer[]>
  retrieveBulkData(options: object): Promise<ArrayBuffer[]>
}

const arrayBuffer = (bytes: Uint8Array): ArrayBuffer => Uint8Array.from(bytes).buffer

describe('npm dicomweb-client', () => {
  const directory = temporaryDirectory('dicomweb-client')
  let server: LiveServer
  let client: Client
  const series = ctSeries(4)
  const files = series.map((elements) => part10({ elements }))
  const uid = (key: string, at = 0) => String(series[at]?.[key])
  const ct = {
    studyInstanceUID: uid('StudyInstanceUID'),
    seriesInstanceUID: uid('SeriesInstanceUID'),
    sopInstanceUID: uid('SOPInstanceUID'),
  }

  before(async () => {
    server = await startServer({ dataDirectory: directory.path })
    PageRequest.page = server.url
    Object.assign(globalThis, { XMLHttpRequest: PageRequest })
    const { api } = createRequire(import.meta.url)('dicomweb-client') as {
      api: { DICOMwebClient: new (options: object) => Client }
    }
    client = new api.DICOMwebClient({ url: `${server.url}/dicom-web`, verbose: false })
  })
  after(async () => {
    await server?.stop()
    directory.remove()
  })

  test('stores a series and finds it', async () => {
    await client.storeInstances({ datasets: files.map(arrayBuffer) })
    const [study, ...others] = await client.searchForStudies({ queryParams: { StudyInstanceUID: ct.studyInstanceUID } })
    assert.equal(others.length, 0)
    assert.equal(study?.['00201208']?.Value[0], 4)
    assert.equal((await client.searchForInstances({ studyInstanceUID: ct.studyInstanceUID })).length, 4)
  })

  test('retrieves what it stored: metadata, an instance, a series, frames', async () => {
    const metadata = await client.retrieveStudyMetadata(ct)
    assert.equal(metadata.length, 4)
    assert.ok(metadata.some((instance) => instance['00080018']?.Value[0] === ct.sopInstanceUID))
    const instance = Buffer.from(await client.retrieveInstance(ct))
    assert.equal(instance.subarray(128, 132).toString(), 'DICM')
    const own = files[0] as Buffer
    assert.ok(instance.subarray(-1000).equals(own.subarray(-1000)))
    assert.equal((await client.retrieveSeries(ct)).length, 4)
    const [frame] = await client.retrieveInstanceFrames({ ...ct, frameNumbers: [1] })
    const pixels = series[0]?.['PixelData OW'] ?? series[0]?.['PixelData']
    assert.ok(pixels instanceof Uint8Array && Buffer.from(frame as ArrayBuffer).equals(Buffer.from(pixels)))
  })

  test('retrieves compressed frames under their own type', async () => {
    const streams = [1, 2].map((n) => jpeg(new Uint8Array(16 * 16 * 3).fill(n * 60), 16, 16))
    const elements = {
      ...encapsulatedMultiFrame(streams, { perFrame: 2 }),
      StudyInstanceUID: '1.2.77',
      SeriesInstanceUID: '1.2.77.1',
      SOPInstanceUID: '1.2.77.1.1',
    }
    await client.storeInstances({ datasets: [arrayBuffer(part10({ elements, transferSyntax: JPEG_BASELINE }))] })
    const frames = await client.retrieveInstanceFrames({
      studyInstanceUID: '1.2.77',
      seriesInstanceUID: '1.2.77.1',
      sopInstanceUID: '1.2.77.1.1',
      frameNumbers: [2, 1],
      mediaTypes: [{ mediaType: 'image/jpeg', transferSyntaxUID: JPEG_BASELINE }],
    })
    const same = (frame: ArrayBuffer | undefined, stream: Uint8Array | undefined) =>
      assert.ok(
        Buffer.from(frame ?? new ArrayBuffer(0))
          .subarray(0, stream?.length)
          .equals(Buffer.from(stream ?? [])),
      )
    same(frames[0], streams[1])
    same(frames[1], streams[0])
  })

  test('follows a BulkDataURI to an encapsulated document', async () => {
    const elements = pdfObject()
    await client.storeInstances({ datasets: [arrayBuffer(part10({ elements }))] })
    const metadata = await client.retrieveStudyMetadata({ studyInstanceUID: String(elements['StudyInstanceUID']) })
    const document = metadata.find((instance) => instance['00420011'] !== undefined)?.['00420011']
    const [bytes] = await client.retrieveBulkData({ BulkDataURI: document?.BulkDataURI })
    assert.ok(
      Buffer.from(bytes as ArrayBuffer)
        .subarray(0, plainPdf().length)
        .equals(plainPdf()),
    )
  })

  test('a refused object is told as an error with its status', async () => {
    await assert.rejects(client.storeInstances({ datasets: [arrayBuffer(Buffer.from('no DICOM'))] }), { status: 409 })
  })
})
