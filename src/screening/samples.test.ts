import assert from 'node:assert/strict'
import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs'
import { join, relative } from 'node:path'
import { test } from 'node:test'
import { judge } from '../../test/support/screening-fixture.ts'

const root = process.env['DIPTYCH_SAMPLES'] ?? join(import.meta.dirname, '../../../shared/data')

function filesBelow(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name)
    return entry.isDirectory() ? filesBelow(path) : [path]
  })
}

/**
 * Real files that are held, each by the row that says so. Every other real DICOM file must come in: a door that holds
 * harmless files stops the clinic.
 */
const held: { readonly [path: string]: string } = {
  'part10/charsets/chrSQEncoding.dcm': 'M7',
  'part10/charsets/chrSQEncoding1.dcm': 'M7',
  'part10/charsets/empty_charset_LEI.dcm': 'M7',
  'part10/malformed/3gb-bulk-data-truncated': 'M8',
  'part10/malformed/UN_sequence.dcm': 'M7',
  'part10/malformed/bad_sequence.dcm': 'M8',
  'part10/malformed/meta_missing_tsyntax.dcm': 'M7',
  'part10/malformed/nested_priv_SQ.dcm': 'M7',
  'part10/malformed/no_meta_group_length.dcm': 'M7',
  'part10/malformed/priv_SQ.dcm': 'M7',
  'part10/malformed/rtplan_truncated.dcm': 'R1',
  'part10/transfer-syntaxes/HTJ2KLossless_08_RGB.dcm': 'M7',
  'part10/transfer-syntaxes/HTJ2K_08_RGB.dcm': 'M7',
  'part10/transfer-syntaxes/JLSL_08_07_0_1F.dcm': 'M7',
  'part10/transfer-syntaxes/JLSL_16_15_1_1F.dcm': 'M7',
  'part10/transfer-syntaxes/JPEGLSNearLossless_08.dcm': 'M7',
  'part10/transfer-syntaxes/JPEGLSNearLossless_16.dcm': 'M7',
  'part10/transfer-syntaxes/SC_rgb_jls_lossy_line.dcm': 'M7',
  'part10/transfer-syntaxes/jpeg2000-multiframe-multifragments.dcm': 'M8',
  'presentation/NeurosurgeryPlan.dcm': 'M7',
  'presentation/hotiron.dcm': 'M7',
  'presentation/pet20step.dcm': 'M7',
}

/** Data sets without preamble and prefix, one document with a DTD, and raw pixels no tool recognises. */
const refused: { readonly [path: string]: string } = {
  'part10/malformed/ExplVR_BigEndNoMeta.dcm': 'P0',
  'part10/malformed/ExplVR_LitEndNoMeta.dcm': 'P0',
  'part10/malformed/rtstruct.dcm': 'P0',
  'part10/pixel/OT-PAL-8-face.dcm': 'P0',
  'part10/preamble/no-preamble-but-DICM-at-128': 'P0',
  'part10/transfer-syntaxes/JLSN_RGB_ILV0.dcm': 'P0',
  'cda/other/CDADocumentWithXXEInjection.xml': 'D6',
  'codestreams/Explicit_VR_Little_Endian-GRAYSCALE-16.raw': 'P0',
  'codestreams/Explicit_VR_Little_Endian-GRAYSCALE-8.raw': 'P0',
  'codestreams/Explicit_VR_Little_Endian-RGB-8.raw': 'P0',
  'codestreams/RLE_Lossless-GRAYSCALE-16.rle': 'P0',
  'codestreams/RLE_Lossless-GRAYSCALE-8.rle': 'P0',
  'codestreams/RLE_Lossless-RGB-8.rle': 'P0',
}

test('samples: real files come in, except where a row says otherwise', (t) => {
  if (!existsSync(root)) {
    t.diagnostic(`no samples at ${root}: not tested`)
    t.skip('no samples')
    return
  }
  const seen = { held: 0, refused: 0, nonZero: 0, preambles: 0 }
  const wrong: string[] = []
  for (const file of filesBelow(root)) {
    if (statSync(file).size > 64 * 1024 * 1024) continue
    const path = relative(root, file).replaceAll('\\', '/')
    const bytes = readFileSync(file)
    const { verdict, reason, findings } = judge(bytes, { door: 'media', path })
    const expected = held[path] === undefined ? (refused[path] === undefined ? null : 'reject') : 'quarantine'
    const rule = held[path] ?? refused[path]
    const isHeld = verdict === 'quarantine' || verdict === 'reject'
    if (expected === null ? isHeld : verdict !== expected || !reason.startsWith(`${rule}:`))
      wrong.push(`${path}: ${verdict}, ${reason}`)
    if (verdict === 'quarantine') seen.held++
    if (verdict === 'reject') seen.refused++
    if (bytes.toString('latin1', 128, 132) === 'DICM' && bytes.subarray(0, 128).some((byte) => byte !== 0)) {
      seen.nonZero++
      if (findings.some((finding) => /^(P[2-6]|P9|TIFF-[2-68])$/.test(finding.rule))) seen.preambles++
    }
  }
  assert.deepEqual(wrong, [])
  assert.equal(seen.preambles, 0, 'a harmless preamble was taken for an attack')
  t.diagnostic(
    `${seen.nonZero} non-zero preambles, none held for it; ${seen.held} held and ${seen.refused} refused by their rows`,
  )
})
