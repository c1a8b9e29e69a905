import { ask, search, value, values } from './api.js'
import { demoButton } from './bring-in.js'
import { day, fill, growing, h, issued, person, problem, table } from './dom.js'
import { may } from './session.js'

const PAGE = 50

/** Search for studies or for patients; the question stands in the address, so it can be kept and sent on. */
export async function studiesPage(main, place) {
  const patients = location.hash.startsWith('#/patients')
  const asked = place.query
  const results = h('div', {})
  const field = (name, title, attributes = {}) =>
    h('label', {}, title, h('input', { name, value: asked.get(name) ?? '', autocomplete: 'off', ...attributes }))
  const submit = (event) => {
    event.preventDefault()
    const query = new URLSearchParams()
    for (const [name, text] of new FormData(event.currentTarget)) if (text.trim() !== '') query.set(name, text.trim())
    const next = `#/${patients ? 'patients' : ''}?${query}`
    if (location.hash === next) studiesPage(main, place)
    else location.hash = next
  }
  const form = patients
    ? h(
        'form',
        { class: 'search', role: 'search', onsubmit: submit },
        field('name', 'Name', { placeholder: 'Doe, Jane' }),
        field('id', 'Patient number'),
        h('button', { class: 'primary', type: 'submit' }, 'Search'),
      )
    : h(
        'form',
        { class: 'search', role: 'search', onsubmit: submit },
        field('name', 'Patient', { placeholder: 'Doe, Jane' }),
        field('id', 'Patient number'),
        field('accession', 'Accession number'),
        field('from', 'From', { type: 'date' }),
        field('to', 'To', { type: 'date' }),
        field('modality', 'Modality', { placeholder: 'CT' }),
        h('button', { class: 'primary', type: 'submit' }, 'Search'),
      )
  fill(
    main,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, patients ? 'Patients' : 'Studies'),
      h('p', { class: 'quiet' }, patients ? 'Names are matched from their beginning, in any script.' : 'Newest first.'),
    ),
    h('section', { class: 'card' }, form),
    results,
  )
  fill(results, h('p', { class: 'quiet loading' }, 'Searching'))
  const list = patients ? patientList : studyList
  try {
    const drawn = await list(asked, place)
    if (place.current()) fill(results, drawn)
  } catch (error) {
    if (place.current()) fill(results, problem(error))
  }
}

function empty(asked) {
  if ([...asked].length > 0) {
    return h(
      'div',
      { class: 'card empty' },
      h('h2', {}, 'Nothing matches'),
      h('p', {}, 'Try fewer letters of the name, or a wider range of dates.'),
    )
  }
  return h(
    'div',
    { class: 'card empty' },
    h('img', { src: '/page/logo.svg', alt: '' }),
    h('h2', {}, 'The archive is empty'),
    h(
      'p',
      {},
      'Drop files, a folder, a disc or a ZIP on the page \u201cBring in\u201d. Each file is screened at the door: ' +
        'good ones are kept, suspicious ones are held for a person to decide.',
    ),
    may('object.store')
      ? h('div', { class: 'row' }, h('a', { class: 'button', href: '#/bring-in' }, 'Bring in files'), demoButton())
      : null,
  )
}

/** `Doe, Jane` or `doe jane` as a wildcard person name. */
function nameQuery(text) {
  const parts = text.replaceAll('*', '').split(/\s*,\s*/)
  return `${parts.join('*^').replace(/\s+/g, '*')}*`
}

function studyQuery(asked) {
  const query = new URLSearchParams({ limit: String(PAGE + 1), fuzzymatching: 'false' })
  const name = asked.get('name')
  if (name) query.set('PatientName', nameQuery(name))
  if (asked.get('id')) query.set('PatientID', asked.get('id'))
  if (asked.get('accession')) query.set('AccessionNumber', asked.get('accession'))
  if (asked.get('modality')) query.set('ModalitiesInStudy', asked.get('modality').toUpperCase())
  const from = (asked.get('from') ?? '').replaceAll('-', '')
  const to = (asked.get('to') ?? '').replaceAll('-', '')
  if (from || to) query.set('StudyDate', `${from}-${to}`)
  query.set('includefield', '00081030')
  return query
}

const STUDY_COLUMNS = [
  { title: 'Patient' },
  { title: 'Date' },
  { title: 'Kind' },
  { title: 'Study' },
  { title: 'Accession' },
  { title: 'Series', kind: 'number' },
  { title: 'Objects', kind: 'number' },
]

async function studyList(asked, place) {
  const query = studyQuery(asked)
  const rows = await search('studies', query)
  if (rows.length === 0) return empty(asked)
  const box = h('section', { class: 'card flush' })
  const pageOf = (found) => ({ items: found.slice(0, PAGE), next: found.length > PAGE })
  growing(
    box,
    pageOf(rows),
    place,
    (shown) => table(STUDY_COLUMNS, shown.map(studyRow)),
    async (_next, count) => {
      query.set('offset', String(count))
      return pageOf(await search('studies', query))
    },
  )
  return box
}

function studyRow(row) {
  const uid = value(row, '0020000D')
  const name = person(value(row, '00100010')) || '(no name)'
  return {
    href: `#/study/${uid}`,
    cells: [
      [
        h('a', { href: `#/study/${uid}` }, name),
        h(
          'div',
          { class: 'quiet small' },
          [value(row, '00100020'), day(value(row, '00100030'))].filter(Boolean).join(' \u00b7 '),
        ),
      ],
      day(value(row, '00080020')),
      values(row, '00080061').map((modality) => h('span', { class: 'chip' }, modality)),
      value(row, '00081030') || h('span', { class: 'quiet' }, '\u2013'),
      value(row, '00080050'),
      value(row, '00201206'),
      value(row, '00201208'),
    ],
  }
}

const UNNAMED =
  'Issuer not named: nobody said whose number it is. Such numbers are kept apart by sender, medium, name and birth date, so ' +
  'that two discs with the number 1 are never one person. Those that are one person can be merged or linked.'

const PATIENT_COLUMNS = [
  { title: 'Patient' },
  { title: 'Number' },
  { title: 'Issued by' },
  { title: 'Born' },
  { title: 'Sex' },
  { title: 'Studies', kind: 'number' },
]

async function patientList(asked, place) {
  const query = new URLSearchParams({ limit: String(PAGE) })
  if (asked.get('name')) query.set('name', asked.get('name'))
  if (asked.get('id')) query.set('identifier', asked.get('id'))
  const first = await ask(`/api/v1/patients?${query}`)
  if (first.items.length === 0) return empty(asked)
  const box = h('section', { class: 'card flush' })
  const view = (shown) => [
    table(PATIENT_COLUMNS, shown.map(patientRow)),
    shown.some(({ issuer }) => issuer.startsWith('assumed:')) ? h('p', { class: 'quiet small note' }, UNNAMED) : null,
  ]
  growing(box, first, place, view, (next) => {
    query.set('cursor', next)
    return ask(`/api/v1/patients?${query}`)
  })
  return box
}

function patientRow(patient) {
  const href = `#/patient/${encodeURIComponent(patient.id)}?${new URLSearchParams({
    name: person(patient.name) || '',
    number: patient.identifier,
  })}`
  return {
    href,
    cells: [
      h('a', { href }, person(patient.name) || '(no name)'),
      patient.identifier,
      [
        h('span', { title: patient.issuer }, issued(patient.issuer)),
        patient.issuerAssumed && !patient.issuer.startsWith('assumed:')
          ? h('span', { class: 'quiet small' }, ' assumed')
          : null,
      ],
      day(patient.birthDate),
      patient.sex ?? '',
      String(patient.studies),
    ],
  }
}
