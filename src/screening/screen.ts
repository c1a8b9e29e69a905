/**
 * Screening: what may come in. One engine for every door (threats.md G1): facts are read, checks make findings, the
 * policy decides, the scanner looks last. Nothing here stores, opens a program, or uses a name as a path.
 */
import { hash } from 'node:crypto'
import type { Door, OpenArrival } from '#model/arrival.ts'
import type { ScanReport } from '#model/finding.ts'
import type { ScreeningPolicy } from '#model/settings.ts'
import { decodeText } from '#standards/dicom/charset.ts'
import { readCharsets } from '#standards/dicom/data-set.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { type FileMeta, type NotPart10, readFileMeta } from '#standards/dicom/file-meta.ts'
import { DEFAULT_LIMITS, type DicomLimits } from '#standards/dicom/limits.ts'
import { findBareDataSet, type OpenOptions, openPart10, type Part10 } from '#standards/dicom/open.ts'
import { PREAMBLE_BYTES } from '#standards/dicom/preamble.ts'
import { SOP_CLASS } from '#standards/dicom/uids.ts'
import type { BodyFacts } from './body-facts.ts'
import { checkFileMeta } from './checks/file-meta.ts'
import { classifyNativeFile } from './checks/native-file.ts'
import { checkPreamble } from './checks/preamble.ts'
import { checkSentDocument } from './checks/sent-document.ts'
import { draftOfError, plainDetail } from './checks/structure.ts'
import { type Inspect, InspectionNeeded, Inspections, type Inspector, inspectHere } from './document-inspection.ts'
import { judgeBody } from './judge-body.ts'
import { openOpaque } from './open-opaque.ts'
import { type Decision, decide } from './policy.ts'
import { RULES_VERSION } from './rules.ts'
import { bytesPiece, type CleanDigests, NOT_SCANNED, rangePiece, scanArrival } from './scan.ts'
import type { Scanner, ScanPiece } from './scanner/scanner.ts'
import type { Draft, Identity, Screened } from './screened.ts'
import { stableSource } from './stable-source.ts'

export interface ScreenTools {
  /** Null: nothing is scanned, and the record says so. */
  readonly scanner: Scanner | null
  readonly limits: DicomLimits
  /** Digests not to be scanned twice; rememberClean() of scan.ts makes one. */
  readonly clean?: CleanDigests
  /** Reads large documents elsewhere; without it everything is read at once. */
  readonly inspector?: Inspector
  /** Where a deflated data set above 64 MiB goes. */
  readonly scratch?: OpenOptions['scratch']
}

/** Doors by which whole media and folders come: what is no object there is passed over, not refused. */
const mediaDoors = new Set<Door>(['media', 'web', 'mailbox', 'demo'])

/**
 * Judges one arrival. Without a scanner the answer is there at once, unless a large document has to be inspected.
 *
 * Never throws for what a sender may send: an unexpected failure inside is a quarantine (threats.md G2).
 */
export function screen(
  arrival: OpenArrival,
  policy: ScreeningPolicy,
  tools: ScreenTools,
): Screened | Promise<Screened> {
  const { scanner, inspector } = tools
  const judged =
    inspector === undefined
      ? judgeSafely(arrival, policy, tools, scanner !== null, inspectHere)
      : judgeInspected(arrival, policy, tools, scanner !== null, inspector)
  const concluded = (done: Judged) =>
    scanner === null
      ? conclude(arrival, done, policy, NOT_SCANNED, [])
      : scanJudged(arrival, policy, tools, scanner, done)
  return judged instanceof Promise ? judged.then(concluded) : concluded(judged)
}

/** Judges one arrival without a scanner. */
export function screenSync(
  arrival: OpenArrival,
  policy: ScreeningPolicy,
  tools: Pick<ScreenTools, 'limits' | 'scratch'> = { limits: DEFAULT_LIMITS },
): Screened {
  return conclude(arrival, judgeSafely(arrival, policy, tools, false, inspectHere), policy, NOT_SCANNED, [])
}

/** What preamble and File Meta alone say: the fast look at many files. Rules P0 to P8 (without TIFF) and M1 to M4. */
export function screenHead(
  head: Uint8Array,
  limits: DicomLimits = DEFAULT_LIMITS,
): { readonly meta: FileMeta | NotPart10 | { readonly kind: 'need-more' }; readonly drafts: readonly Draft[] } {
  try {
    const meta = readFileMeta(head, limits)
    if (meta.kind !== 'part10') return { meta, drafts: [] }
    const drafts = meta.preamble.kind === 'other' ? [...checkPreamble(head.subarray(0, PREAMBLE_BYTES))] : []
    if (meta.problems.length > 0)
      drafts.push(...checkFileMeta({ size: head.byteLength, read: (a, b) => head.subarray(a, b) }, meta))
    return { meta, drafts }
  } catch (thrown) {
    if (!(thrown instanceof DicomError)) throw thrown
    return { meta: { kind: 'not-part10', reason: 'no-group-0002' }, drafts: [draftOfError(thrown)] }
  }
}

/** An arrival judged, before the policy and the scanner had their say. */
interface Judged {
  readonly drafts: readonly Draft[]
  readonly part10: Part10 | null
  readonly facts: BodyFacts | null
  readonly readable: boolean
  readonly skip: string | null
  readonly tiffKept: 'no' | 'yes' | 'by-policy'
  readonly decoded: readonly { readonly label: string; readonly bytes: Uint8Array }[]
  readonly failed: boolean
}

const NOTHING = {
  part10: null,
  facts: null,
  readable: false,
  skip: null,
  tiffKept: 'no',
  decoded: [],
  failed: false,
} as const

function judgeSafely(
  arrival: OpenArrival,
  policy: ScreeningPolicy,
  tools: Pick<ScreenTools, 'limits' | 'scratch'>,
  pieces: boolean,
  inspect: Inspect,
): Judged {
  try {
    return judge({ ...arrival, source: stableSource(arrival.source) }, policy, tools, pieces, inspect)
  } catch (thrown) {
    if (thrown instanceof InspectionNeeded) throw thrown
    if (thrown instanceof DicomError) return { ...NOTHING, drafts: [draftOfError(thrown)] }
    return heldForFault(thrown)
  }
}

/**
 * Judges as judgeSafely does, large documents by the inspector: the judgement breaks off where one is met, and is made
 * anew when its verdict is known. Until then others are judged.
 */
function judgeInspected(
  arrival: OpenArrival,
  policy: ScreeningPolicy,
  tools: Pick<ScreenTools, 'limits' | 'scratch'>,
  pieces: boolean,
  inspector: Inspector,
): Judged | Promise<Judged> {
  const inspections = new Inspections()
  const attempt = (): Judged | Promise<Judged> => {
    try {
      return judgeSafely(arrival, policy, tools, pieces, inspections.inspect)
    } catch (thrown) {
      if (!(thrown instanceof InspectionNeeded)) throw thrown
      const { place } = thrown
      return inspector.inspect(place).then((verdict) => {
        inspections.tell(place, verdict)
        return attempt()
      }, heldForFault)
    }
  }
  return attempt()
}

function heldForFault(thrown: unknown): Judged {
  const detail = `screening failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`
  const draft: Draft = { rule: 'G2', severity: 'quarantine', detail, offset: null, tag: null, firm: true }
  return { ...NOTHING, failed: true, drafts: [draft] }
}

function judge(
  arrival: OpenArrival,
  policy: ScreeningPolicy,
  tools: Pick<ScreenTools, 'limits' | 'scratch'>,
  pieces: boolean,
  inspect: Inspect,
): Judged {
  const { source, claims } = arrival
  const { dataSetIn } = arrival.provenance
  if (claims.document === true) return { ...NOTHING, drafts: checkSentDocument(source, claims.mediaType, inspect) }
  const drafts: Draft[] = []
  let part10: Part10
  try {
    part10 = openPart10(source, {
      limits: tools.limits,
      bare: claims.bareDataSet === true,
      ...(dataSetIn === undefined ? {} : { negotiated: dataSetIn }),
      ...(tools.scratch === undefined ? {} : { scratch: tools.scratch }),
    })
  } catch (thrown) {
    if (!(thrown instanceof DicomError)) throw thrown
    if (thrown.rule === 'P0') return notPart10(arrival, thrown, tools.limits, inspect)
    const opaque =
      thrown.rule === 'M6' && policy.unknownTransferSyntaxes === 'keep'
        ? openOpaque(source, tools.limits, dataSetIn)
        : null
    if (opaque === null && dataSetIn !== undefined) return { ...NOTHING, drafts: [draftOfError(thrown)] }
    if (opaque === null) {
      const preamble = source.read(0, PREAMBLE_BYTES)
      if (preamble.some((byte) => byte !== 0) && preamble[0] !== 0x49 && preamble[0] !== 0x4d)
        drafts.push(...checkPreamble(preamble))
      return { ...NOTHING, drafts: [...drafts, draftOfError(thrown)] }
    }
    part10 = opaque
  }
  const { meta } = part10
  if (meta !== null) {
    if (meta.preamble.kind === 'other') drafts.push(...checkPreamble(source.read(0, PREAMBLE_BYTES).slice()))
    if (meta.problems.length > 0) drafts.push(...checkFileMeta(source, meta))
  }
  const announced = meta?.mediaStorageSOPClassUID ?? claims.sopClassUID
  if (announced === SOP_CLASS.mediaDirectory) return dicomdir(arrival, drafts)
  for (const problem of part10.problems) {
    if (problem.rule === 'M6' || problem.rule === 'P0') drafts.push({ ...problem, severity: 'info' })
  }
  const body = judgeBody(arrival, part10, policy, tools.limits, drafts, pieces, inspect)
  return { ...NOTHING, part10, ...body, drafts: [...drafts, ...body.drafts] }
}

function notPart10(arrival: OpenArrival, error: DicomError, limits: DicomLimits, inspect: Inspect): Judged {
  const { door, path } = arrival.provenance
  const refused: Draft = { rule: 'P0', severity: 'reject', detail: plainDetail(error), offset: 0, tag: null }
  const native = classifyNativeFile(arrival.source, path, door, inspect)
  if (!mediaDoors.has(door)) {
    const detail = native.is === 'unknown' ? refused.detail : `not a DICOM file: ${native.reason}`
    return { ...NOTHING, drafts: [{ ...refused, detail }] }
  }
  if (native.is === 'unknown') {
    const bare = arrival.claims.bareDataSet === true ? null : findBareDataSet(arrival.source, limits)
    const detail =
      bare === null ? refused.detail : 'a data set without preamble and prefix: taken only by the named option'
    return { ...NOTHING, drafts: [{ ...refused, detail }] }
  }
  return { ...NOTHING, drafts: native.drafts, skip: native.reason }
}

/** The index of a medium is read by the import, never kept. A program in its preamble is held like any other. */
function dicomdir(arrival: OpenArrival, drafts: readonly Draft[]): Judged {
  const detail = 'the index of a file-set (DICOMDIR)'
  if (mediaDoors.has(arrival.provenance.door)) {
    const told: Draft = { rule: 'dicomdir', severity: 'info', detail, offset: null, tag: null }
    return { ...NOTHING, drafts: [...drafts.filter(({ severity }) => severity !== 'sanitise'), told], skip: detail }
  }
  return {
    ...NOTHING,
    drafts: [
      ...drafts,
      { rule: 'dicomdir', severity: 'reject', detail: `${detail} is no object`, offset: null, tag: null },
    ],
  }
}

async function scanJudged(
  arrival: OpenArrival,
  policy: ScreeningPolicy,
  tools: ScreenTools,
  scanner: Scanner,
  judged: Judged,
): Promise<Screened> {
  const refused = decide(judged.drafts, policy).verdict === 'reject'
  const listedOnly = judged.skip !== null && !judged.drafts.some(({ rule }) => rule === 'document-passed-over')
  if (refused || listedOnly) return conclude(arrival, judged, policy, NOT_SCANNED, [])
  try {
    const sha256 = arrival.bytes.in === 'spool' ? arrival.bytes.sha256 : hash('sha256', arrival.bytes.bytes)
    const { report, drafts } = await scanArrival(scanner, tools.clean ?? null, sha256, piecesOf(arrival, judged))
    return conclude(arrival, judged, policy, report, drafts)
  } catch (thrown) {
    const detail = `scanning failed: ${thrown instanceof Error ? thrown.message : String(thrown)}`
    const report: ScanReport = { status: 'pending', engine: null, signatures: null, coverage: null }
    return conclude(arrival, judged, policy, report, [
      { rule: 'scan-pending', severity: 'quarantine', detail, offset: null, tag: null },
    ])
  }
}

function piecesOf(arrival: OpenArrival, { facts, part10, decoded }: Judged): ScanPiece[] {
  const { source } = arrival
  const pieces = [rangePiece('file', null, source, 0, source.size, 0)]
  if (facts !== null && part10 !== null) {
    const { base } = part10
    if (base === null) pieces.push(rangePiece('inflated data set', null, facts.source, 0, facts.source.size, null))
    for (const { start, end, tag } of facts.pieces) {
      const text = (tag >>> 0).toString(16).toUpperCase().padStart(8, '0')
      const label = `(${text.slice(0, 4)},${text.slice(4)})`
      pieces.push(rangePiece(label, text, facts.source, start, end, base === null ? null : base + start))
    }
  }
  for (const { label, bytes } of decoded) pieces.push(bytesPiece(label, bytes))
  return pieces
}

function conclude(
  arrival: OpenArrival,
  judged: Judged,
  policy: ScreeningPolicy,
  scan: ScanReport,
  scanDrafts: readonly Draft[],
): Screened {
  const decision = decide(scanDrafts.length === 0 ? judged.drafts : [...judged.drafts, ...scanDrafts], policy)
  const skip = judged.skip !== null && decision.verdict === 'accept'
  const keepPreamble =
    judged.tiffKept === 'yes' || (judged.tiffKept === 'by-policy' && policy.rules['TIFF-9'] === 'keep')
  return {
    verdict: skip ? 'skip' : decision.verdict,
    findings: decision.findings,
    remove: decision.remove,
    rewrite: decision.rewrite,
    // A TIFF names absolute offsets: when elements go, they point at other bytes.
    keepPreamble:
      keepPreamble && !decision.elementsDiscarded && (decision.verdict === 'accept' || decision.verdict === 'sanitise'),
    scan,
    // What cannot be read to its end is not handed on: nobody may store half of it.
    part10: judged.readable ? judged.part10 : null,
    identity: judged.facts === null ? null : identityOf(judged.facts),
    elementsDiscarded: decision.elementsDiscarded,
    pending: judged.failed || scan.status === 'pending',
    reason: skip && judged.skip !== null ? judged.skip : reasonOf(decision),
    preambleHex: Buffer.from(arrival.source.read(0, PREAMBLE_BYTES)).toString('hex'),
    rulesVersion: RULES_VERSION,
  }
}

function reasonOf({ verdict, worst, findings }: Decision): string {
  if (worst !== null) return `${worst.rule}: ${worst.detail}`
  if (verdict === 'accept' && findings.length > 0)
    return `accepted with ${findings.length} remark${findings.length === 1 ? '' : 's'}`
  return 'accepted'
}

const SPECIFIC_CHARACTER_SET = 0x00080005

function identityOf(facts: BodyFacts): Identity {
  const value = (tag: number): string | null => facts.text.get(tag) || null
  const charsets = readCharsets(Buffer.from(facts.text.get(SPECIFIC_CHARACTER_SET) ?? '', 'latin1'))
  const decoded = (tag: number, kind: 'pn' | 'single'): string | null => {
    const text = value(tag)
    return text === null ? null : decodeText(Buffer.from(text, 'latin1'), charsets, kind)
  }
  return {
    sopClassUID: value(0x00080016),
    sopInstanceUID: value(0x00080018),
    studyInstanceUID: value(0x0020000d),
    seriesInstanceUID: value(0x0020000e),
    patient: {
      name: decoded(0x00100010, 'pn'),
      id: decoded(0x00100020, 'single'),
      issuer: decoded(0x00100021, 'single'),
      birthDate: value(0x00100030),
    },
  }
}
