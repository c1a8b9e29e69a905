import { ask } from './api.js'
import { bundles, zipOf } from './bundle.js'
import { fill, h, problem, say, size } from './dom.js'
import { verdictChip } from './object.js'
import { may } from './session.js'
import { upload } from './upload.js'

/** Lines shown; the counts go on, and the result can be fetched whole. */
const LINES_SHOWN = 400

/** Drop files and see what becomes of each. */
export async function bringIn(main) {
  const files = h('input', { type: 'file', multiple: true, hidden: true, 'aria-label': 'Files' })
  const folder = h('input', { type: 'file', webkitdirectory: true, hidden: true, 'aria-label': 'Folder' })
  const originator = h('input', { name: 'originator', autocomplete: 'off', placeholder: 'Unknown' })
  const medium = h('input', { name: 'medium', autocomplete: 'off', placeholder: 'As written on the disc' })
  const runs = h('div', {})
  const start = (chosen) => {
    if (chosen.length === 0) return
    const run = new Run(chosen, { originator: originator.value.trim(), medium: medium.value.trim() })
    runs.prepend(run.element)
    run.start()
  }
  files.addEventListener('change', () => {
    start([...files.files].map((file) => ({ path: file.name, file })))
    files.value = ''
  })
  folder.addEventListener('change', () => {
    start([...folder.files].map((file) => ({ path: file.webkitRelativePath || file.name, file })))
    folder.value = ''
  })
  const drop = h(
    'section',
    { class: 'drop', 'aria-label': 'Drop files here' },
    h('h2', {}, 'Drop files, folders, discs or ZIP containers here'),
    h('p', {}, 'Every file is screened before it is kept. Nothing is ever run, whatever its name.'),
    h(
      'div',
      { class: 'row' },
      h('button', { type: 'button', class: 'primary', onclick: () => files.click() }, 'Choose files'),
      h('button', { type: 'button', onclick: () => folder.click() }, 'Choose a folder'),
      demoButton(),
    ),
    files,
    folder,
  )
  drop.addEventListener('dragover', (event) => {
    event.preventDefault()
    drop.classList.add('over')
  })
  drop.addEventListener('dragleave', (event) => {
    if (!drop.contains(event.relatedTarget)) drop.classList.remove('over')
  })
  drop.addEventListener('drop', async (event) => {
    event.preventDefault()
    drop.classList.remove('over')
    try {
      start(await dropped(event.dataTransfer))
    } catch (error) {
      say(`The browser could not read what was dropped: ${error.message}`)
    }
  })
  fill(
    main,
    h(
      'div',
      { class: 'head' },
      h('h1', {}, 'Bring in'),
      h('p', { class: 'quiet' }, 'From a disc, a stick, an e-mail, another hospital.'),
    ),
    drop,
    h(
      'details',
      { class: 'card flush' },
      h('summary', {}, 'Where it comes from (optional)'),
      h(
        'div',
        { class: 'card search' },
        h('label', {}, 'Originator', originator),
        h('label', {}, 'Label of the medium', medium),
      ),
    ),
    runs,
  )
}

/** Files of a drop, folders walked. Entries must be taken before the first wait. */
async function dropped(transfer) {
  const entries = [...transfer.items].map((item) => item.webkitGetAsEntry?.()).filter(Boolean)
  if (entries.length === 0) return [...transfer.files].map((file) => ({ path: file.name, file }))
  const found = []
  const walk = async (entry, path) => {
    if (entry.isFile) {
      found.push({ path, file: await new Promise((resolve, reject) => entry.file(resolve, reject)) })
      return
    }
    const reader = entry.createReader()
    for (;;) {
      const children = await new Promise((resolve, reject) => reader.readEntries(resolve, reject))
      if (children.length === 0) return
      for (const child of children) await walk(child, `${path}/${child.name}`)
    }
  }
  for (const entry of entries) await walk(entry, entry.name)
  return found
}

/** One drop: prepared, sent, judged. */
class Run {
  #files
  #from
  #total
  #sent = 0
  #read = 0
  #counts = { stored: 0, known: 0, sanitised: 0, held: 0, refused: 0, skipped: 0, waiting: 0 }
  #lines = []
  #told = 0
  #phase = h('span', {})
  #bar = h('progress', { max: 1, value: 0, 'aria-label': 'Progress' })
  #tiles = h('div', { class: 'counts', 'aria-live': 'polite' })
  #list = h('div', {})
  #trouble = h('div', {})
  #stop = new AbortController()
  #drawn = false

  constructor(files, from) {
    this.#files = files
    this.#from = from
    this.#total = files.reduce((sum, { file }) => sum + file.size, 0)
    this.element = h(
      'section',
      { class: 'card' },
      h(
        'div',
        { class: 'run-head' },
        h('h2', {}, files.length === 1 ? files[0].path : `${files.length.toLocaleString()} files`),
        h('p', { class: 'quiet' }, size(this.#total)),
        this.#phase,
      ),
      this.#bar,
      this.#trouble,
      this.#tiles,
      this.#list,
    )
  }

  async start() {
    this.#draw()
    try {
      for (const group of bundles(this.#files)) await this.#send(group)
      this.#say('Done')
      this.#bar.value = 1
    } catch (error) {
      fill(this.#trouble, problem(error))
      this.#say('Stopped')
    }
    this.#draw()
  }

  async #send(group) {
    let body = group[0].file
    let name = group[0].path
    let cut = ''
    if (group.length > 1) {
      this.#say('Preparing')
      body = await zipOf(group, (bytes) => {
        this.#read += bytes
        this.#progress()
      })
      name = 'drop.zip'
      cut = 'drop.zip!/'
    }
    this.#say('Sending')
    const summary = await upload(
      { name, body, ...this.#from },
      {
        signal: this.#stop.signal,
        sent: (bytes) => {
          this.#sent += bytes
          this.#progress()
          if (this.#sent >= this.#total) this.#say('Screening')
        },
        line: (line) =>
          this.#line({ ...line, path: line.path.startsWith(cut) ? line.path.slice(cut.length) : line.path }),
      },
    )
    this.#counts.waiting += (summary.reconciliation ?? []).filter(({ state }) => state === 'waiting').length
  }

  #line(line) {
    this.#told += 1
    this.#counts[kindOf(line)] += 1
    if (line.verdict === 'sanitise' && line.stored) this.#counts.sanitised += 1
    this.#lines.push(line)
    if (this.#lines.length > LINES_SHOWN) {
      const plain = this.#lines.findIndex(({ verdict }) => verdict === 'accept')
      this.#lines.splice(Math.max(plain, 0), 1)
    }
    this.#progress()
    this.#later()
  }

  #progress() {
    const parts = [
      [0.15, this.#files.length > 1 ? this.#read / Math.max(1, this.#total) : 1],
      [0.45, this.#sent / Math.max(1, this.#total)],
      [0.4, this.#told / Math.max(1, this.#files.length)],
    ]
    this.#bar.value = parts.reduce((sum, [weight, done]) => sum + weight * Math.min(1, done), 0)
  }

  #say(phase) {
    const working = phase !== 'Done' && phase !== 'Stopped'
    this.#phase.className = working ? 'quiet loading' : `chip ${phase === 'Done' ? 'good' : 'bad'}`
    fill(this.#phase, phase)
  }

  #later() {
    if (this.#drawn) return
    this.#drawn = true
    setTimeout(() => {
      this.#drawn = false
      this.#draw()
    }, 150)
  }

  #draw() {
    const tiles = [
      ['stored', 'stored', 'good'],
      ['known', 'already there', ''],
      ['sanitised', 'sanitised', 'warn'],
      ['held', 'held', 'bad'],
      ['refused', 'refused', 'bad'],
      ['skipped', 'skipped', ''],
      ['waiting', 'studies on the import worklist', 'warn'],
    ]
    fill(
      this.#tiles,
      tiles.map(([name, title, kind]) =>
        h(
          'div',
          { class: `count ${this.#counts[name] > 0 ? kind : ''}` },
          h('b', {}, this.#counts[name].toLocaleString()),
          h('span', {}, title),
        ),
      ),
    )
    if (this.#lines.length === 0) return
    const rows = [...this.#lines].sort((a, b) => rank(a) - rank(b))
    fill(
      this.#list,
      this.#told > this.#lines.length
        ? h(
            'p',
            { class: 'quiet small' },
            `${this.#lines.length} of ${this.#told.toLocaleString()} lines are shown, those that need a look first.`,
          )
        : null,
      h(
        'div',
        { class: 'scroll' },
        h(
          'table',
          {},
          h(
            'thead',
            {},
            h(
              'tr',
              {},
              ['Verdict', 'File', 'Reason'].map((title) => h('th', { scope: 'col' }, title)),
            ),
          ),
          h('tbody', {}, rows.map(lineRow)),
        ),
      ),
    )
  }
}

function lineRow(line) {
  const link =
    line.quarantineId !== null
      ? h('a', { href: `#/held/${encodeURIComponent(line.quarantineId)}` }, line.path)
      : line.id !== null
        ? h(
            'a',
            { href: `#/${line.sopInstanceUid === null ? 'document' : 'object'}/${encodeURIComponent(line.id)}` },
            line.path,
          )
        : line.path
  const rules = [...new Set(line.findings.map(({ rule }) => rule))]
  return h(
    'tr',
    {},
    h('td', {}, verdictChip(line.verdict, line.duplicate)),
    h('td', { class: 'clip' }, link),
    h(
      'td',
      { class: 'clip' },
      line.reason,
      rules.length > 0 ? h('span', { class: 'quiet small mono' }, ` ${rules.join(' ')}`) : null,
    ),
  )
}

function kindOf(line) {
  if (line.verdict === 'skip') return 'skipped'
  if (line.verdict === 'reject') return 'refused'
  if (line.verdict === 'quarantine' && !line.stored) return 'held'
  return line.duplicate ? 'known' : 'stored'
}

/** Held and refused first, then sanitised, skipped, and what is simply fine. */
function rank(line) {
  return { held: 0, refused: 1, stored: line.verdict === 'sanitise' ? 2 : 4, skipped: 3, known: 5 }[kindOf(line)]
}

/** Loads the sample patient. */
export function demoButton() {
  if (!may('quarantine.decide')) return null
  const button = h('button', { type: 'button' }, 'Load the sample patient')
  button.addEventListener('click', async () => {
    button.disabled = true
    try {
      const { summary } = await ask('/api/v1/demo', { method: 'POST' })
      say(
        `${summary.stored} objects stored, ${summary.duplicates} already there, ${summary.quarantined} held on purpose.`,
      )
      location.hash = '#/'
      dispatchEvent(new Event('signed-in')) // draws the page anew
    } catch (error) {
      say(error.message)
    } finally {
      button.disabled = false
    }
  })
  return button
}
