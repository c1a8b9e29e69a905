import { ask, call } from './api.js'
import { fill, growing, h, instant, person, problem, say, size, table } from './dom.js'
import { may } from './session.js'
import { facts } from './study.js'

const KINDS = {
  pdf: 'PDF',
  cda: 'CDA',
  'fhir-document': 'FHIR',
  jpeg: 'Photo',
  png: 'Picture',
  gif: 'Picture',
  tiff: 'Picture',
  heic: 'Photo',
  mp4: 'Video',
  quicktime: 'Video',
  mpeg: 'Video',
  text: 'Text',
  rtf: 'RTF',
  html: 'Page',
  xml: 'XML',
  stl: 'Model',
  obj: 'Model',
  mtl: 'Material',
  aecg: 'ECG',
  other: 'File',
}

const STATUS = {
  current: ['good', 'Current'],
  superseded: ['warn', 'Superseded'],
  'entered-in-error': ['bad', 'Withdrawn'],
}

const FIELDS = {
  classCode: 'Class',
  typeCode: 'Type',
  formatCode: 'Format',
  practiceSetting: 'Specialty',
  facilityType: 'Facility',
  confidentiality: 'Confidentiality',
  creationTime: 'Made on',
  language: 'Language',
  patient: 'Patient',
}

const SOURCES = {
  sender: 'said by the sender',
  content: 'read in the document',
  order: 'from the order',
  encounter: 'from the visit',
  study: 'from the study',
  originator: 'default of the originator',
  site: 'default of this site',
  person: 'said by a person here',
}

/** What kind of file it is, as a mark. */
export function kindChip(kind) {
  return h('span', { class: 'chip' }, KINDS[kind] ?? kind)
}

const time = (value) => (value === null || value === undefined ? '' : value.length > 10 ? instant(value) : value)

/** All documents, found by their words or by what is said of them; or those that wait for a person. */
export async function documentsPage(main, place) {
  const waiting = place.rest[0] === 'waiting'
  const text = place.query.get('text') ?? ''
  const type = place.query.get('type') ?? ''
  const parameters = new URLSearchParams({ limit: '50' })
  if (text !== '') parameters.set('text', text)
  if (type !== '') parameters.set('type', type)
  const path = waiting ? '/api/v1/document-worklist' : '/api/v1/documents'
  const [page, values] = await Promise.all([ask(`${path}?${parameters}`), ask('/api/v1/document-values')])
  if (!place.current()) return
  const box = h('section', { class: 'card flush' })
  const view = (shown) =>
    shown.length === 0
      ? nothing(waiting, text)
      : table(
          COLUMNS,
          shown.map((item) => row(item, waiting)),
        )
  growing(box, page, place, view, (next) => ask(`${path}?${parameters}&cursor=${encodeURIComponent(next)}`))
  const tab = (href, title, here) => h('a', { href, 'aria-current': here ? 'true' : null }, title)
  fill(
    main,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Documents'),
      h(
        'p',
        { class: 'quiet' },
        waiting
          ? 'Kept and found already, but something required is not known. Fill it in.'
          : 'Reports, letters, photographs, videos: each in its own format, byte for byte.',
      ),
      may('document.write')
        ? h(
            'div',
            { class: 'tabs' },
            tab('#/documents', 'All', !waiting),
            tab('#/documents/waiting', 'Waiting for metadata', waiting),
          )
        : null,
    ),
    finder(place, text, type, values),
    box,
  )
}

function finder(place, text, type, values) {
  return h(
    'form',
    {
      class: 'card search',
      onsubmit: (event) => {
        event.preventDefault()
        const given = Object.entries(Object.fromEntries(new FormData(event.currentTarget))).filter(([, value]) => value)
        location.hash = `#/${['documents', ...place.rest].join('/')}?${new URLSearchParams(given)}`
      },
    },
    h('label', {}, 'Words inside', h('input', { name: 'text', type: 'search', value: text, autocomplete: 'off' })),
    h('label', {}, 'Type', select('type', values.typeCode, type)),
    h('button', { type: 'submit', class: 'primary' }, 'Find'),
  )
}

function select(name, codes, chosen, none = 'Any') {
  return h(
    'select',
    { name },
    h('option', { value: '' }, none),
    codes.map(({ code, display }) => h('option', { value: code, selected: code === chosen }, display)),
  )
}

function nothing(waiting, text) {
  if (waiting) return empty('Nothing waits', 'Every document says what it is and whose.')
  if (text !== '') return empty('Nothing was found', `No document holds these words: ${text}`)
  return empty('No document yet', 'Bring in a disc with reports, or send files to /api/v1/documents.')
}

const empty = (title, words) => h('div', { class: 'empty' }, h('h2', {}, title), h('p', {}, words))

const COLUMNS = [
  { title: 'Kind' },
  { title: 'Document' },
  { title: 'Type' },
  { title: 'Specialty' },
  { title: 'Made on' },
]

function row(item, waiting) {
  const href = waiting ? `#/document/${item.id}?fill` : `#/document/${item.id}`
  const { metadata } = item
  return {
    href,
    cells: [
      kindChip(item.kind),
      [
        h('a', { href }, metadata.title ?? 'Without a title'),
        item.snippet ? h('div', { class: 'quiet small' }, marked(item.snippet)) : null,
        waiting
          ? h('div', { class: 'small' }, 'Missing: ', item.missing.map((field) => FIELDS[field] ?? field).join(', '))
          : null,
      ],
      metadata.typeCode?.display ?? h('span', { class: 'quiet' }, '\u2013'),
      metadata.practiceSetting?.display ?? metadata.department ?? h('span', { class: 'quiet' }, '\u2013'),
      time(metadata.serviceStart ?? metadata.creationTime ?? item.created),
    ],
  }
}

/** Text with the finds marked; U+E000 and U+E001 stand around them. */
function marked(snippet) {
  return snippet.split('\ue000').flatMap((part, i) => {
    if (i === 0) return [part]
    const [found, rest = ''] = part.split('\ue001')
    return [h('mark', {}, found), rest]
  })
}

/** One document: itself, what is said of it and who said so, and what it was before. */
export async function documentPage(main, place) {
  const [id = ''] = place.rest
  const base = `/api/v1/documents/${encodeURIComponent(id)}`
  const [document, versions, values] = await Promise.all([
    ask(base),
    ask(`${base}/versions`),
    ask('/api/v1/document-values'),
  ])
  const [titles, lists] = await Promise.all([
    titlesOf(document),
    ask(`/api/v1/document-lists?holds=${encodeURIComponent(document.id)}`),
  ])
  if (!place.current()) return
  const { metadata, status } = document
  const [kind, word] = STATUS[status] ?? ['', status]
  fill(
    main,
    h(
      'p',
      { class: 'crumbs' },
      h('a', { href: '#/documents' }, 'Documents'),
      document.patientId
        ? [' / ', h('a', { href: `#/patient/${encodeURIComponent(document.patientId)}` }, 'Patient')]
        : null,
      document.studyInstanceUid ? [' / ', h('a', { href: `#/study/${document.studyInstanceUid}` }, 'Study')] : null,
    ),
    h(
      'div',
      { class: 'head' },
      h('h1', {}, metadata.title ?? 'Without a title'),
      h(
        'p',
        { class: 'quiet' },
        kindChip(document.kind),
        ' ',
        h('span', { class: `chip ${kind}` }, word),
        ' ',
        size(document.size),
      ),
      h('a', { class: 'button', href: document.content, download: '' }, 'Download'),
      may('object.export')
        ? h('a', { class: 'button', href: `/api/v1/document-package?id=${document.id}`, download: '' }, 'With metadata')
        : null,
    ),
    h(
      'div',
      { class: 'two' },
      h('div', {}, view(document), relations(document, titles, lists.items), history(versions.items)),
      h('div', {}, said(document), may('document.write') ? changing(main, place, document, values) : null),
    ),
  )
}

/** The document where a browser may show it: in a frame of no origin, or as a picture. */
function view({ kind, content, metadata }) {
  const title = metadata.title ?? 'Document'
  if (kind === 'jpeg' || kind === 'png' || kind === 'gif')
    return h('section', { class: 'card flush' }, h('img', { class: 'sheet', src: content, alt: title }))
  if (kind === 'mp4')
    return h('section', { class: 'card flush' }, h('video', { class: 'sheet', src: content, controls: true }))
  if (kind === 'text')
    return h(
      'section',
      { class: 'card flush' },
      h('iframe', { class: 'sheet paper', src: content, sandbox: '', title }),
    )
  if (kind === 'pdf')
    return h('section', { class: 'card flush' }, h('iframe', { class: 'sheet paper', src: content, title }))
  return h(
    'section',
    { class: 'card empty' },
    h('h2', {}, 'Not shown here'),
    h('p', {}, 'A browser would run or fetch things for this kind of file, or does not know it. Download it.'),
  )
}

function said(document) {
  const { metadata, sources, missing } = document
  const code = (value) => value?.display
  const told = (field, text) => {
    if (text === undefined || text === null || text === '') return ''
    return [text, sources[field] ? h('div', { class: 'quiet small' }, SOURCES[sources[field]] ?? sources[field]) : null]
  }
  const list = (values) => (values.length === 0 ? '' : values.map((value) => h('div', {}, value)))
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'What is said of it'),
    missing.length > 0
      ? h(
          'p',
          {},
          h('span', { class: 'chip warn' }, 'Missing'),
          ` ${missing.map((field) => FIELDS[field] ?? field).join(', ')}`,
        )
      : null,
    h(
      'dl',
      { class: 'facts' },
      facts([
        ['Type', told('typeCode', code(metadata.typeCode))],
        ['Class', told('classCode', code(metadata.classCode))],
        ['Specialty', told('practiceSetting', code(metadata.practiceSetting))],
        ['Department', told('department', metadata.department)],
        ['Facility', told('facilityType', code(metadata.facilityType))],
        ['Made on', told('creationTime', time(metadata.creationTime))],
        ['Service', told('serviceStart', time(metadata.serviceStart))],
        [
          'Author',
          list(metadata.authors.map((author) => person(author.person) || author.institution || author.device || '')),
        ],
        ['About', list(metadata.eventCodes.map(({ display }) => display))],
        ['Confidentiality', told('confidentiality', metadata.confidentiality.map(code).join(', '))],
        ['Language', told('language', metadata.language)],
        ['Format', told('formatCode', code(metadata.formatCode))],
        [
          'Numbers',
          list(
            metadata.references.map(({ type, id, issuer }) => [
              type,
              ' ',
              h('span', { class: 'mono' }, id),
              issuer ? ` (${issuer})` : '',
            ]),
          ),
        ],
        ['Remarks', metadata.comments],
        ['Id', h('span', { class: 'mono' }, document.uniqueId)],
        ['SHA-256', h('span', { class: 'mono', title: document.sha256 }, `${document.sha256.slice(0, 16)}\u2026`)],
        ['Where from', h('a', { href: `#/object/${document.id}` }, 'Provenance')],
      ]),
    ),
  )
}

function history(items) {
  if (items.length < 2) return null
  return h(
    'section',
    { class: 'card flush' },
    table(
      [{ title: 'Version', kind: 'number' }, { title: 'Since' }, { title: 'By' }, { title: 'Why' }],
      items.map(({ version, time: since, by, reason }) => ({ cells: [String(version), instant(since), by, reason] })),
    ),
  )
}

const RELATIONS = {
  replaces: ['Replaces', 'Replaced by'],
  appends: ['Adds to', 'Added to by'],
  transforms: ['Made from', 'Turned into'],
  'transform-replaces': ['Made from and replaces', 'Turned into and replaced by'],
  signs: ['Signs', 'Signed by'],
  rendition: ['Another form of', 'Other form'],
  face: ['Other face of', 'Other face'],
}

/** Titles of documents it hangs together with; what is no document, or not for this caller, has none. */
async function titlesOf({ relations: mine, relatedBy }) {
  const ids = [...new Set([...mine.map(({ to }) => to), ...relatedBy.map(({ from }) => from)])].slice(0, 50)
  const told = await Promise.allSettled(ids.map((id) => ask(`/api/v1/documents/${encodeURIComponent(id)}`)))
  return new Map(
    told.flatMap(({ status, value }, i) => (status === 'fulfilled' ? [[ids[i], value.metadata.title ?? '']] : [])),
  )
}

function relations({ relations: mine, relatedBy }, titles, lists) {
  const rows = [
    ...mine.map(({ kind, to }) => [RELATIONS[kind]?.[0] ?? kind, to]),
    ...relatedBy.map(({ kind, from }) => [RELATIONS[kind]?.[1] ?? kind, from]),
  ].map(([title, id]) => [
    title,
    titles.has(id)
      ? h('a', { href: `#/document/${id}` }, titles.get(id) || id)
      : h('a', { class: 'mono', href: `#/object/${id}` }, id),
  ])
  const held = lists.map(({ kind, title, time: since, items }) => [
    kind === 'folder' ? 'In the folder' : 'Sent with',
    `${title ?? (kind === 'folder' ? 'without a title' : time(since))} (${items.length})`,
  ])
  if (rows.length + held.length === 0) return null
  return h('section', { class: 'card' }, h('h2', {}, 'Related'), h('dl', { class: 'facts' }, facts([...rows, ...held])))
}

const CHOICES = ['typeCode', 'classCode', 'practiceSetting', 'facilityType', 'confidentiality']

/** Filling in, assigning, withdrawing. */
function changing(main, place, document, values) {
  const told = h('div', {})
  const again = async (text) => {
    say(text)
    await documentPage(main, place)
  }
  const send = async (path, method, json, text) => {
    try {
      await call(path, { method, json })
      await again(text)
    } catch (error) {
      fill(told, problem(error))
    }
  }
  const form = (title, fields, button, run, open = false) =>
    h(
      'details',
      { open },
      h('summary', {}, title),
      h(
        'form',
        {
          class: 'stack',
          onsubmit: (event) => {
            event.preventDefault()
            run(Object.fromEntries(new FormData(event.currentTarget)))
          },
        },
        fields,
        h('button', { type: 'submit', class: 'primary' }, button),
      ),
    )
  const input = (name, title, attributes = {}) =>
    h('label', {}, title, h('input', { name, autocomplete: 'off', ...attributes }))
  const { metadata, missing } = document
  const codes = CHOICES.map((field) => {
    const now = field === 'confidentiality' ? metadata.confidentiality[0] : metadata[field]
    return h('label', {}, FIELDS[field], select(field, values[field], now?.code, 'Not said'))
  })
  const base = `/api/v1/documents/${document.id}`
  const fillIn = (given) => {
    const { number, issuer, reason, confidentiality, ...fields } = given
    const changed = Object.fromEntries(
      Object.entries(fields).filter(([name, value]) => value !== '' && value !== textOf(metadata[name])),
    )
    if (confidentiality !== '' && confidentiality !== metadata.confidentiality[0]?.code)
      changed.confidentiality = [confidentiality]
    const body = {
      metadata: changed,
      reason: reason || 'filled in',
      ...(number ? { patient: { id: number, issuer } } : {}),
    }
    return send(`/api/v1/document-worklist/${document.id}`, 'POST', body, 'Kept as a new version.')
  }
  return h(
    'section',
    { class: 'card' },
    h('h2', {}, 'Change'),
    h(
      'p',
      { class: 'quiet small' },
      'The bytes never change. What is said of them gets a new version, with who and why.',
    ),
    told,
    form(
      missing.length > 0 ? 'Fill in what is missing' : 'Say something else',
      [
        input('title', 'Title', { value: metadata.title ?? '' }),
        codes,
        input('department', 'Department', { value: metadata.department ?? '' }),
        input('creationTime', 'Made on', { value: metadata.creationTime ?? '', placeholder: '2026-05-02' }),
        input('language', 'Language', { value: metadata.language ?? '', placeholder: 'de-DE' }),
        missing.includes('patient') ? [input('number', 'Patient number'), input('issuer', 'Issued by')] : null,
        input('reason', 'Reason'),
      ],
      'Keep',
      fillIn,
      missing.length > 0 && place.query.has('fill'),
    ),
    form(
      'It is of another patient',
      [
        input('number', 'Patient number', { required: true }),
        input('issuer', 'Issued by'),
        input('reason', 'Reason', { required: true }),
      ],
      'Assign',
      ({ number, issuer, reason }) =>
        send(`${base}/assign`, 'POST', { patient: { id: number, issuer }, reason }, 'It belongs to that patient now.'),
    ),
    document.status === 'entered-in-error'
      ? null
      : form('Withdraw it', [input('reason', 'Reason', { required: true })], 'Withdraw', ({ reason }) =>
          send(`${base}/withdraw`, 'POST', { reason }, 'Withdrawn: entered in error.'),
        ),
  )
}

function textOf(value) {
  return value === null || value === undefined ? '' : typeof value === 'object' ? value.code : value
}
