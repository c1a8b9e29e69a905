/** The programs other people wrote that our suites run against, and how to get them. */
import { existsSync } from 'node:fs'
import { delimiter, join } from 'node:path'

export interface Counterpart {
  readonly name: string
  readonly program: string
  readonly packages: readonly string[]
}

export const COUNTERPARTS: readonly Counterpart[] = [
  { name: 'DCMTK', program: 'dcmdump', packages: ['dcmtk'] },
  { name: 'dicom3tools', program: 'dciodvfy', packages: ['dicom3tools'] },
  { name: 'genisoimage', program: 'isoinfo', packages: ['genisoimage'] },
  { name: 'ClamAV', program: 'clamd', packages: ['clamav-daemon'] },
  { name: 'Chromium', program: 'chromium', packages: ['chromium'] },
  { name: 'curl', program: 'curl', packages: ['curl'] },
  { name: 'Python', program: 'python3', packages: ['python3'] },
  { name: 'Orthanc', program: 'Orthanc', packages: ['orthanc', 'orthanc-dicomweb'] },
]

/** Full path of a program, looked for where Debian puts daemons too. */
export function programPath(program: string): string | undefined {
  const folders = [...(process.env['PATH'] ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin', '/sbin']
  return folders.map((folder) => join(folder, program)).find((path) => existsSync(path))
}

/**
 * Installs what is missing when this process may (root, apt-get present).
 * @returns what is still missing afterwards
 */
export function installCounterparts(run: (command: string, args: readonly string[]) => number): readonly Counterpart[] {
  const missing = () => COUNTERPARTS.filter(({ program }) => programPath(program) === undefined)
  if (missing().length > 0 && process.getuid?.() === 0 && programPath('apt-get') !== undefined) {
    run('apt-get', ['update', '-qq'])
    run('apt-get', [
      'install',
      '-y',
      '-qq',
      '--no-install-recommends',
      ...missing().flatMap(({ packages }) => packages),
    ])
  }
  return missing()
}
