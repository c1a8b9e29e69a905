import { ask } from './api.js'
import { fill, h, instant, table } from './dom.js'
import { may } from './session.js'
import { facts } from './study.js'

const VERDICTS = {
  accept: ['good', 'Accepted'],
  sanitise: ['warn', 'Sanitised'],
  quarantine: ['bad', 'Held'],
  reject: ['bad', 'Refused'],
  skip: ['', 'Skipped'],
}

/** A verdict as a mark. */
export function verdictChip(verdict, duplicate = false) {
  const [kind, word] = VERDICTS[verdict] ?? ['', verdict]
  return h('span', { class: `chip ${kind}` }, duplicate && verdict !== 'quarantine' ? 'Already there' : word)
}

/** What screening noticed, with where. */
export function findingList(findings) {
  if (findings.length === 0) return h('p', { class: 'quiet' }, 'Nothing was noticed.')
  return h(
    'ul',
    { class: 'findings' },
    findings.map(({ rule, severity, detail, offset, tag }) =>
      h(
        'li',
        {},
        h('span', { class: `chip ${severityKind(severity)}` }, rule),
        ` ${detail} `,
        h(
          'span',
          { class: 'quiet small mono' },
          [tag, offset === null ? null : `byte ${offset}`].filter(Boolean).join(', '),
        ),
      ),
    ),
  )
}

function severityKind(severity) {
  if (severity === 'info') return ''
  return severity === 'warning' || severity === 'sanitise' ? 'warn' : 'bad'
}

/** Where an object came from, what was decided about it, and what was changed. */
export async function objectPage(main, place) {
  const [id] = place.rest
  const [provenance, placement] = await Promise.all([
    ask(`/api/v1/objects/${encodeURIComponent(id)}/provenance`),
    ask(`/api/v1/objects/${encodeURIComponent(id)}/placement`).catch((error) => {
      if (error.status === 404) return null
      throw error
    }),
  ])
  if (!place.current()) return
  const study = place.query.get('study')
  const { arrivals, digest, scan, changes, findings, verdict } = provenance
  fill(
    main,
    h(
      'p',
      { class: 'crumbs' },
      h('a', { href: '#/' }, 'Studies'),
      study ? [' / ', h('a', { href: `#/study/${study}` }, 'Study')] : null,
    ),
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Object'),
      h('p', { class: 'quiet mono' }, provenance.sopInstanceUid ?? provenance.uniqueId ?? id),
      provenance.panel === 'document'
        ? h('a', { class: 'button', href: `#/document/${id}` }, 'Open the document')
        : null,
    ),
    h(
      'div',
      { class: 'two' },
      h(
        'div',
        {},
        h(
          'section',
          { class: 'card' },
          h('h2', {}, 'Screening'),
          h('p', {}, verdictChip(verdict)),
          findingList(findings),
        ),
        h(
          'section',
          { class: 'card flush' },
          table(
            [{ title: 'Arrived' }, { title: 'Door' }, { title: 'From' }, { title: 'SHA-256' }],
            arrivals.map((arrival) => ({
              cells: [
                instant(arrival.time),
                arrival.door,
                [arrival.originator, arrival.peer].filter(Boolean).join(', ') ||
                  h('span', { class: 'quiet' }, 'unknown'),
                h('span', { class: 'mono', title: arrival.sha256 }, `${arrival.sha256.slice(0, 12)}\u2026`),
              ],
            })),
          ),
        ),
        changes.length === 0
          ? null
          : h(
              'section',
              { class: 'card flush' },
              table(
                [{ title: 'Element' }, { title: 'Before' }, { title: 'After' }, { title: 'Rule' }, { title: 'By' }],
                changes.map((change) => ({
                  cells: [
                    h('span', { class: 'mono' }, change.tag),
                    change.before ?? '',
                    change.after ?? '',
                    [change.rule, change.undone ? h('span', { class: 'quiet' }, ' undone') : null],
                    [change.by, h('div', { class: 'quiet small' }, instant(change.time))],
                  ],
                })),
              ),
            ),
      ),
      h(
        'div',
        {},
        h(
          'section',
          { class: 'card' },
          h('h2', {}, 'Kept'),
          h(
            'dl',
            { class: 'facts' },
            facts([
              ['Number', h('span', { class: 'mono' }, provenance.id)],
              ['Virus scan', [scan.status, scan.engine, scan.signatures].filter(Boolean).join(', ')],
              ['Coverage', scan.coverage],
              ['As arrived', h('span', { class: 'mono' }, digest.arrived)],
              ['Data set', digest.dataSet === null ? '' : h('span', { class: 'mono' }, digest.dataSet)],
              ['As kept', h('span', { class: 'mono' }, digest.kept)],
            ]),
          ),
        ),
        placement === null
          ? null
          : h(
              'section',
              { class: 'card' },
              h('h2', {}, 'Place'),
              h(
                'dl',
                { class: 'facts' },
                facts([
                  ['Panel', placement.panel],
                  ['Form', placement.form],
                  ['Rule', `${placement.rule} ${placement.ruleVersion ?? ''}`],
                  ['Why', placement.history?.find(({ state }) => state === 'acting')?.why],
                ]),
              ),
              may('placement.decide')
                ? h('p', {}, h('a', { href: `#/placed/${encodeURIComponent(provenance.id)}` }, 'Why is this here?'))
                : null,
            ),
      ),
    ),
  )
}
