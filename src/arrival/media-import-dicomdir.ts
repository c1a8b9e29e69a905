import type { ArrivedBytes } from '#model/arrival.ts'
import type { Finding } from '#model/finding.ts'
import { memorySource } from '#standards/byte-source.ts'
import { DicomError } from '#standards/dicom/errors.ts'
import { type FileSetIndex, readFileSetIndex } from '#standards/media/file-set-index.ts'

/** Differences told one by one; of more only the number is told. */
const DIFFERENCES_TOLD_MAX = 100
/** Files of one medium that are remembered for the cross-check. */
const FILES_MAX = 500_000

/**
 * Compares what a DICOMDIR lists with what the walk of its medium met. The list is never followed: files are found
 * by walking, and a Referenced File ID is only a name to compare. threats.md E4.
 */
export class FileSetCheck {
  /** Label of each file met, normalised, with whether it was an object. */
  readonly #seen = new Map<string, { readonly label: string; readonly isObject: boolean }>()
  /** Folders that have an index of their own. */
  readonly #folders: string[] = []
  #underWay = 0
  #settled = Promise.withResolvers<void>()

  /** Another index was met: what is below its folder belongs to its file-set. */
  sawIndex(label: string): void {
    this.#folders.push(folderOf(label))
  }

  /** A file was met and will be judged. */
  begin(): void {
    this.#underWay += 1
  }

  end(): void {
    this.#underWay -= 1
    if (this.#underWay === 0) {
      this.#settled.resolve()
      this.#settled = Promise.withResolvers<void>()
    }
  }

  saw(label: string, isObject: boolean): void {
    if (this.#seen.size < FILES_MAX) this.#seen.set(normalised(label), { label, isObject })
  }

  /** Resolves when every file that was begun has been judged. */
  async settled(): Promise<void> {
    while (this.#underWay > 0) await this.#settled.promise
  }

  /** What the DICOMDIR lists; a finding instead when it cannot be read. Call before its bytes are handed over. */
  read(bytes: ArrivedBytes): FileSetIndex | Finding {
    if (bytes.in === 'spool') return note('the DICOMDIR is larger than 4 MiB and was not compared with the medium')
    try {
      return readFileSetIndex(memorySource(bytes.bytes)) ?? note('the file named DICOMDIR is no DICOM file')
    } catch (error) {
      if (error instanceof DicomError) {
        return note(`the DICOMDIR cannot be read: ${error.message}`, error.offset, error.tag)
      }
      throw error
    }
  }

  /**
   * Where index and medium differ, and how many listed files the medium lacks. `label` is the DICOMDIR's own: what it
   * lists is below its folder.
   */
  differences(label: string, index: FileSetIndex): { readonly findings: readonly Finding[]; readonly missing: number } {
    const folder = label.slice(0, label.length - 'DICOMDIR'.length)
    const others = this.#folders.filter((other) => other.length > folderOf(label).length)
    const findings = [...structure(index)]
    const listed = new Set<string>()
    let missing = 0
    for (const { fileId, offset } of index.records) {
      if (fileId === null) continue
      const name = fileId.join('\\')
      if (fileId.some((component) => leavesTheMedium(component))) {
        findings.push(note(`listed under a name that leaves the medium, not followed: ${name}`, offset, '00041500'))
        continue
      }
      const path = normalised(folder + fileId.join('/'))
      listed.add(path)
      if (this.#seen.has(path)) continue
      missing += 1
      findings.push(note(`listed but missing: ${name}`, offset, '00041500'))
    }
    const below = normalised(folder)
    for (const [path, { label: seen, isObject }] of this.#seen) {
      if (!isObject || !path.startsWith(below) || listed.has(path)) continue
      if (!others.some((other) => path.startsWith(other))) findings.push(note(`present but not listed: ${seen}`))
    }
    if (findings.length <= DIFFERENCES_TOLD_MAX) return { findings, missing }
    const untold = findings.length - DIFFERENCES_TOLD_MAX
    return { findings: [...findings.slice(0, DIFFERENCES_TOLD_MAX), note(`and ${untold} more differences`)], missing }
  }
}

/** Offsets that lead nowhere, and records that can be reached twice. */
function* structure(index: FileSetIndex): Generator<Finding> {
  const records = new Map(index.records.map((record) => [record.offset, record]))
  const visited = new Set<number>()
  const ahead = index.root === 0 ? [] : [index.root]
  for (let offset = ahead.pop(); offset !== undefined; offset = ahead.pop()) {
    if (visited.has(offset)) {
      yield note(`directory records form a loop through byte ${offset}; the offsets were not followed`, offset)
      return
    }
    const record = records.get(offset)
    if (record === undefined) {
      yield note(`a directory record offset leads nowhere: ${offset} of ${index.size} bytes`, offset)
      continue
    }
    visited.add(offset)
    if (record.next !== 0) ahead.push(record.next)
    if (record.lower !== 0) ahead.push(record.lower)
  }
  const unreached = index.records.length - visited.size
  if (unreached > 0) yield note(`${unreached} of ${index.records.length} directory records cannot be reached by offset`)
}

function leavesTheMedium(component: string): boolean {
  return component === '..' || component === '.' || component === '' || /[/\0:]/.test(component)
}

function folderOf(label: string): string {
  return normalised(label.slice(0, label.length - 'DICOMDIR'.length))
}

/** Case, a version number and a final dot differ between how ISO 9660 media are mounted. */
function normalised(label: string): string {
  return label
    .split('/')
    .map((name) => name.replace(/;\d+$/, '').replace(/\.$/, '').toUpperCase())
    .join('/')
}

function note(detail: string, offset: number | null = null, tag: string | null = null): Finding {
  return { rule: 'E4', severity: 'warning', detail, offset, tag }
}
