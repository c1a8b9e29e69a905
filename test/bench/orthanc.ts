/** Orthanc with its DICOMweb plugin, from Debian's packages, on a free loopback port and a folder of its own. */
import { spawn } from 'node:child_process'
import { globSync, mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { programPath } from '../../tools/install-counterparts.ts'
import { temporaryDirectory } from '../live/server.ts'

export interface Peer {
  readonly name: string
  readonly pid: number
  /** DICOMweb root. */
  readonly root: string
  /** Its DICOM door. */
  readonly dimse: { readonly port: number; readonly aeTitle: string } | null
  readonly guarantees: string
  stop(): Promise<void>
}

export function orthancIsHere(): boolean {
  return programPath('Orthanc') !== undefined && plugin() !== undefined
}

function plugin(): string | undefined {
  return globSync('/usr/share/orthanc/plugins/*OrthancDicomWeb*.so*')[0]
}

export async function startOrthanc(): Promise<Peer> {
  const program = programPath('Orthanc')
  const library = plugin()
  if (program === undefined || library === undefined) throw new Error('Orthanc or its DICOMweb plugin is not installed')
  const folder = temporaryDirectory('orthanc')
  const [http, dicom] = [await freePort(), await freePort()]
  const config = join(folder.path, 'orthanc.json')
  mkdirSync(join(folder.path, 'db'))
  writeFileSync(
    config,
    JSON.stringify({
      Name: 'peer',
      StorageDirectory: join(folder.path, 'db'),
      IndexDirectory: join(folder.path, 'db'),
      HttpPort: http,
      DicomPort: dicom,
      RemoteAccessAllowed: false,
      AuthenticationEnabled: false,
      SynchronousCMove: true,
      Plugins: [library],
      DicomWeb: { Enable: true, Root: '/dicom-web/' },
    }),
  )
  // DCMTK's way to switch Nagle's algorithm off: else each C-STORE answer waits 40 ms for a delayed acknowledgement.
  const child = spawn(program, [config], { stdio: 'ignore', env: { ...process.env, TCP_NODELAY: '1' } })
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const root = `http://127.0.0.1:${http}/dicom-web`
  await answers(`${root}/studies`)
  return {
    name: 'Orthanc',
    pid: child.pid ?? 0,
    root,
    dimse: { port: dicom, aeTitle: 'ORTHANC' },
    guarantees: 'what its default settings give; not looked into here',
    async stop() {
      child.kill('SIGTERM')
      await exited
      folder.remove()
    },
  }
}

export async function answers(url: string): Promise<void> {
  const until = Date.now() + 20_000
  while (Date.now() < until) {
    try {
      await fetch(url)
      return
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 100))
    }
  }
  throw new Error(`${url} did not answer within 20 s`)
}

export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer()
    server.once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() =>
        typeof address === 'object' && address !== null ? resolve(address.port) : reject(new Error('no port')),
      )
    })
  })
}
