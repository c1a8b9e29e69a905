import assert from 'node:assert/strict'
import { test } from 'node:test'
import { datasetToXml, type JsonDataSet } from './xml.ts'

const HEAD =
  '<?xml version="1.0" encoding="UTF-8"?>\n' +
  '<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">'

const cases: { name: string; json: JsonDataSet; xml: string }[] = [
  { name: 'nothing', json: {}, xml: '' },
  {
    name: 'values are numbered from one, an empty one among them is empty',
    json: { '00080008': { vr: 'CS', Value: ['A', null, 'B'] } },
    xml: '<DicomAttribute tag="00080008" vr="CS" keyword="ImageType"><Value number="1">A</Value><Value number="2"></Value><Value number="3">B</Value></DicomAttribute>',
  },
  {
    name: 'a name by group and part',
    json: { '00100010': { vr: 'PN', Value: [{ Alphabetic: 'Doe^J&J^^Dr', Ideographic: '山田^太郎' }] } },
    xml: '<DicomAttribute tag="00100010" vr="PN" keyword="PatientName"><PersonName number="1"><Alphabetic><FamilyName>Doe</FamilyName><GivenName>J&amp;J</GivenName><NamePrefix>Dr</NamePrefix></Alphabetic><Ideographic><FamilyName>山田</FamilyName><GivenName>太郎</GivenName></Ideographic></PersonName></DicomAttribute>',
  },
  {
    name: 'a sequence and bulk data',
    json: {
      '00400275': { vr: 'SQ', Value: [{ '00400009': { vr: 'SH' } }] },
      '7FE00010': { vr: 'OW', BulkDataURI: '/a?b&c' },
    },
    xml: '<DicomAttribute tag="00400275" vr="SQ" keyword="RequestAttributesSequence"><Item number="1"><DicomAttribute tag="00400009" vr="SH" keyword="ScheduledProcedureStepID"></DicomAttribute></Item></DicomAttribute><DicomAttribute tag="7FE00010" vr="OW" keyword="PixelData"><BulkData uri="/a?b&amp;c"/></DicomAttribute>',
  },
  {
    name: 'a private attribute is named by its creator, not by its block',
    json: { '00091142': { vr: 'UN', InlineBinary: 'AA==' }, '00090011': { vr: 'LO', Value: ['A"C'] } },
    xml: '<DicomAttribute tag="00090011" vr="LO"><Value number="1">A"C</Value></DicomAttribute><DicomAttribute tag="00090042" vr="UN" privateCreator="A&quot;C"><InlineBinary>AA==</InlineBinary></DicomAttribute>'.replace(
      '>A"C<',
      '>A&quot;C<',
    ),
  },
  {
    name: 'keys that JavaScript takes for numbers stay in their place',
    json: { '00080060': { vr: 'CS' }, '30040002': { vr: 'CS' } },
    xml: '<DicomAttribute tag="00080060" vr="CS" keyword="Modality"></DicomAttribute><DicomAttribute tag="30040002" vr="CS" keyword="DoseUnits"></DicomAttribute>',
  },
  {
    name: 'markup and what XML cannot carry',
    json: { '00104000': { vr: 'LT', Value: ['<b>\u0000\r\n\ud800'] } },
    xml: '<DicomAttribute tag="00104000" vr="LT" keyword="PatientComments"><Value number="1">&lt;b&gt;\ufffd&#13;\n\ufffd</Value></DicomAttribute>',
  },
]

for (const { name, json, xml } of cases) {
  test(`XML: ${name}`, () => {
    assert.equal(datasetToXml(json), `${HEAD}${xml}</NativeDicomModel>`)
  })
}
