import assert from 'node:assert/strict'
import { Buffer } from 'node:buffer'
import { createHash } from 'node:crypto'
import { test } from 'node:test'
import { type AecgOptions, aecg, aecgDigit } from '../../../../test/fixtures/aecg.ts'
import { memorySource } from '../../byte-source.ts'
import { readAecg } from '../../waveform/aecg.ts'
import { numbers, readDataSet, sequence, string } from '../data-set.ts'
import { openPart10 } from '../open.ts'
import { joinPieces } from '../pieces.ts'
import { ecgs, multiplexGroups } from '../sop-classes/ecg.ts'
import { SOP_CLASS } from '../uids.ts'
import { wrapAecg } from './aecg-waveform.ts'
import { ConversionError } from './conversion-error.ts'
import type { FaceIdentity } from './identity.ts'

function identityOf(bytes: Uint8Array): FaceIdentity {
  return {
    patient: { name: 'Face^Second', id: 'F-1' },
    study: { uid: '2.25.77' },
    series: { number: 7 },
    equipment: { manufacturer: 'Maker' },
    sha256: createHash('sha256').update(bytes).digest('hex'),
    instanceNumber: 1,
  }
}

function wrapped(options: AecgOptions) {
  const bytes = aecg(options)
  const face = wrapAecg(bytes, identityOf(bytes))
  const opened = openPart10(memorySource(joinPieces(face.pieces)))
  return { face, ecg: readAecg(bytes), dataSet: readDataSet(opened.dataSet, opened.encoding) }
}

// A value that comes out another is a finding that was never there.
const exact: { name: string; options: AecgOptions; sopClass: string; wide?: boolean }[] = [
  { name: '12 leads and a beat', options: { beat: { scale: '2.5' } }, sopClass: SOP_CLASS.twelveLeadEcg },
  {
    name: 'three leads',
    options: { sets: [{ leads: ['MDC_ECG_LEAD_I', 'MDC_ECG_LEAD_II', 'MDC_ECG_LEAD_V1'] }] },
    sopClass: SOP_CLASS.generalEcg,
  },
  {
    name: 'an origin, in millivolts',
    options: { sets: [{ origin: '-0.125', scale: '0.00488', unit: 'mV' }] },
    sopClass: SOP_CLASS.twelveLeadEcg,
  },
  {
    name: 'more samples than the class of 12 leads',
    options: { sets: [{ samples: 16_385 }] },
    sopClass: SOP_CLASS.generalEcg,
  },
  {
    name: 'a slow recording',
    options: { sets: [{ incrementSeconds: 0.008 }] },
    sopClass: SOP_CLASS.general32BitEcg,
    wide: true,
  },
  {
    name: 'digits above 16 bits',
    options: { sets: [{ digit: (lead, sample) => lead * 70_000 - sample }] },
    sopClass: SOP_CLASS.general32BitEcg,
    wide: true,
  },
  {
    name: 'leads in three sets, one after the other',
    options: {
      sets: [0, 1, 2, 3].map((part) => ({
        leads: ['I II III', 'aVR aVL aVF', 'V1 V2 V3', 'V4 V5 V6']
          [part]!.split(' ')
          .map((lead) => `MDC_ECG_LEAD_${lead}`),
        head: `2026010203040${5 + part}.500`,
      })),
    },
    sopClass: SOP_CLASS.twelveLeadEcg,
  },
]

for (const { name, options, sopClass, wide = false } of exact) {
  test(`aECG: ${name}`, () => {
    const { face, ecg, dataSet } = wrapped(options)
    assert.equal(face.sopClassUid, sopClass)
    const sets = ecg.series.flatMap((series) => series.sequenceSets)
    const groups = multiplexGroups(dataSet)
    assert.equal(groups.length, sets.length)
    for (const [index, group] of groups.entries()) {
      const set = sets[index]!
      assert.equal(group.frequency * set.incrementSeconds, 1)
      const { offset, length } = group.data!
      const bytes = new Uint8Array(dataSet.source.read(offset, offset + length))
      const view = new DataView(bytes.buffer)
      for (const [which, lead] of set.leads.entries()) {
        const { sensitivity = 0, baseline } = group.channels[which]!
        for (let sample = 0; sample < group.sampleCount; sample++) {
          const at = (sample * group.channelCount + which) * (wide ? 4 : 2)
          const stored = wide ? view.getInt32(at, true) : view.getInt16(at, true)
          const there = stored * sensitivity + baseline
          const here = (lead.digits[sample] ?? Number.NaN) * Number(lead.scale) + Number(lead.origin)
          if (there !== here) assert.equal(there, here, `${lead.code}, sample ${sample}`)
        }
      }
    }
    const complaints = ecgs.validate(dataSet).filter(({ severity }) => severity === 'warning')
    assert.deepEqual(complaints, [])
  })
}

test('aECG: everything of the fixture is read', () => {
  const ecg = readAecg(aecg({ beat: {} }))
  assert.deepEqual(ecg.subject, { ids: ['S-7'], name: 'ABC', sex: 'F', birthTime: '19530508' })
  assert.deepEqual(
    ecg.series.map(({ code }) => code),
    ['RHYTHM', 'REPRESENTATIVE_BEAT'],
  )
  const [rhythm] = ecg.series
  assert.deepEqual(rhythm?.filters, { lowPass: 150, highPass: 0.05, notch: 50 })
  assert.deepEqual(rhythm?.device, { manufacturer: 'Maker', model: 'Recorder', software: '1.0', serial: 'SN-1' })
  const lead = rhythm?.sequenceSets[0]?.leads[6]
  assert.equal(lead?.code, 'MDC_ECG_LEAD_V1')
  assert.deepEqual(
    [...(lead?.digits ?? [])],
    Array.from({ length: 500 }, (_, sample) => aecgDigit(6, sample)),
  )
})

test('aECG: leads, filters, measurements and statements stand where DICOM has them', () => {
  const { dataSet } = wrapped({ beat: {} })
  const facts = ecgs.facts(dataSet)
  const value = (name: string) => facts.filter((fact) => fact.name === name).map((fact) => fact.value)
  assert.deepEqual(value('rr-interval'), [800])
  assert.deepEqual(value('pr-interval'), [160])
  assert.deepEqual(value('qrs-duration'), [92])
  assert.deepEqual(value('qt-interval'), [388])
  assert.deepEqual(value('heart-rate'), [75])
  assert.deepEqual(value('statement'), ['OWN_THING 7 mm', 'Sinus rhythm'])
  assert.deepEqual([...new Set(value('filter-high'))], [150])
  assert.deepEqual([...new Set(value('filter-low'))], [0.05])
  assert.equal(value('lead').length, 12)
  assert.equal(string(dataSet, 0x0008002a), '20260102030405.000')
  const qrs = sequence(dataSet, 0x0040b020)[2]!
  assert.deepEqual(numbers(qrs, 0x0040a0b0), [1, 2])
  assert.deepEqual(numbers(qrs, 0x0040a132), [51, 97])
  const [rhythm, beat] = multiplexGroups(dataSet)
  assert.deepEqual([rhythm?.originality, rhythm?.label], ['ORIGINAL', 'RHYTHM'])
  assert.deepEqual([beat?.originality, beat?.label], ['DERIVED', 'MEDIAN BEAT'])
})

const wrong: { name: string; options: AecgOptions; code: string }[] = [
  { name: 'a lead nobody knows', options: { sets: [{ leads: ['MDC_ECG_LEAD_CM5'] }] }, code: 'conversion.unsupported' },
  { name: 'a unit of something else', options: { sets: [{ unit: 'mmHg' }] }, code: 'conversion.unsupported' },
  {
    name: 'more groups than there may be',
    options: { sets: Array(6).fill({ leads: ['MDC_ECG_LEAD_I'] }) },
    code: 'conversion.unsupported',
  },
  { name: 'a digit with a fraction', options: { sets: [{ digit: () => 0.5 }] }, code: 'conversion.malformed' },
  { name: 'a digit above 32 bits', options: { sets: [{ digit: () => 2 ** 31 }] }, code: 'conversion.malformed' },
  { name: 'no increment', options: { sets: [{ incrementSeconds: 0 }] }, code: 'conversion.malformed' },
  { name: 'a scale in words', options: { sets: [{ scale: 'much' }] }, code: 'conversion.malformed' },
  { name: 'a document type', options: { before: '<!DOCTYPE a [<!ENTITY b "c">]>' }, code: 'conversion.malformed' },
  { name: 'no samples', options: { sets: [{ samples: 0 }] }, code: 'conversion.malformed' },
  { name: 'no waveform', options: { sets: [] }, code: 'conversion.unsupported' },
]

for (const { name, options, code } of wrong) {
  test(`aECG refused: ${name}`, () => {
    assert.throws(
      () => wrapped(options),
      (thrown) => thrown instanceof ConversionError && thrown.code === code,
    )
  })
}

test('aECG: sets that begin one after the other keep their distance', () => {
  const lead = ['MDC_ECG_LEAD_I']
  const heads = ['20260102030405.000', '20260102030407.500']
  const { dataSet } = wrapped({ sets: heads.map((head) => ({ leads: lead, head })) })
  assert.deepEqual(
    sequence(dataSet, 0x54000100).map((group) => numbers(group, 0x00181068)[0]),
    [0, 2500],
  )
  assert.equal(string(dataSet, 0x00080023), '20260102')
  assert.equal(string(dataSet, 0x00080033), '030405.000')
  const together = wrapped({ sets: [{ leads: lead }, { leads: ['MDC_ECG_LEAD_II'] }] })
  assert.equal(sequence(together.dataSet, 0x54000100)[0]?.get(0x00181068), undefined)
})

test('aECG refused: what is none, and what was cut', () => {
  const refused = (code: string) => (thrown: unknown) => thrown instanceof ConversionError && thrown.code === code
  assert.throws(() => readAecg(Buffer.from('<ClinicalDocument/>')), refused('conversion.type'))
  const whole = aecg({ sets: [{ samples: 3 }] })
  for (let length = 1; length < whole.length; length += 97) {
    assert.throws(() => readAecg(whole.subarray(0, length)), refused('conversion.malformed'))
  }
})
