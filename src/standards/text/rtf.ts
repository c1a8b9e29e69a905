import iconv from 'iconv-lite'
import { DocumentError } from '../document-error.ts'
import type { PlainText, TextLimits } from './plain-text.ts'
import { TextCollector } from './text-collector.ts'

/** Groups that hold no running text. RTF 1.9.1, "Destinations"; those behind `\*` that are unknown are skipped too. */
const skipped = new Set(
  'fonttbl colortbl stylesheet listtable listoverridetable rsidtbl generator pict object objdata objclass themedata colorschememapping datastore latentstyles xmlnstbl datafield fldinst filetbl revtbl private template operator author manager company category keywords doccomm comment hlinkbase creatim revtim printim buptim userprops docvar header footer headerl headerr headerf footerl footerr footerf ftnsep ftnsepc aftnsep aftnsepc bkmkstart bkmkend shppict nonshppict blipuid xe tc rxe pntext pgdsctbl wgrffmtfilter mmathPr'.split(
    ' ',
  ),
)

/** Characters with a control word of their own. RTF 1.9.1, "Special Characters". */
const characters: ReadonlyMap<string, string> = new Map([
  ['emdash', '—'],
  ['endash', '–'],
  ['lquote', '‘'],
  ['rquote', '’'],
  ['ldblquote', '“'],
  ['rdblquote', '”'],
  ['bullet', '•'],
  ['emspace', ' '],
  ['enspace', ' '],
  ['tab', '\t'],
  ['cell', ' '],
  ['nestcell', ' '],
])
const breaks = new Set(['par', 'line', 'row', 'nestrow', 'sect', 'page', 'column', 'softline', 'softpage'])

/** Code pages by `\fcharset`. RTF 1.9.1, "Font Table". */
const charsets: ReadonlyMap<number, number> = new Map([
  [0, 1252],
  [77, 10000],
  [128, 932],
  [129, 949],
  [134, 936],
  [136, 950],
  [161, 1253],
  [162, 1254],
  [163, 1258],
  [177, 1255],
  [178, 1256],
  [186, 1257],
  [204, 1251],
  [222, 874],
  [238, 1250],
])

/** Word documents have some hundred open groups at most. */
const DEPTH_MAX = 1000
const FONTS_MAX = 10_000

interface Group {
  /** Nothing of it is text. */
  skip: boolean
  into: 'text' | 'title' | 'fonts'
  codePage: number
  hidden: boolean
  /** Characters that stand for one `\u` in readers that do not know it. */
  substitutes: number
}

/** One pass over the bytes; what has no meaning here is passed over. RTF 1.9.1 section "RTF Syntax". */
class RtfReader {
  readonly #bytes: Uint8Array
  readonly #collector: TextCollector
  readonly #fonts = new Map<number, number>()
  #at = 0
  #group: Group = { skip: false, into: 'text', codePage: 1252, hidden: false, substitutes: 1 }
  readonly #stack: Group[] = []
  #codePage = 1252
  #defaultFont: number | null = null
  #font = -1
  #title = ''
  #language: number | null = null
  /** Bytes of a code page that may need their neighbours, and units of `\u` that may need theirs. */
  #raw: number[] = []
  #units = ''
  /** Substitutes still to be passed over. */
  #toSkip = 0
  /** The next control word may name a destination to be skipped whole. */
  #starred = false
  truncated = false

  constructor(bytes: Uint8Array, collector: TextCollector) {
    this.#bytes = bytes
    this.#collector = collector
  }

  read(): { title: string; language: number | null } {
    const bytes = this.#bytes
    while (this.#at < bytes.byteLength && !this.#collector.full) {
      const byte = bytes[this.#at++] as number
      if (byte === 0x7b) this.#openGroup()
      else if (byte === 0x7d) {
        if (!this.#closeGroup()) break
      } else if (byte === 0x5c) this.#control()
      else if (byte === 10 || byte === 13) continue
      else this.#byte(byte)
    }
    this.#flush()
    if (this.#stack.length > 0) this.truncated = true
    return { title: this.#title, language: this.#language }
  }

  #openGroup(): void {
    this.#flush()
    this.#toSkip = 0
    this.#starred = false
    if (this.#stack.length >= DEPTH_MAX) throw new DocumentError('limit', `RTF groups nested deeper than ${DEPTH_MAX}`)
    this.#stack.push(this.#group)
    this.#group = { ...this.#group }
  }

  /** False behind the outermost group: the document ends there. */
  #closeGroup(): boolean {
    this.#flush()
    this.#toSkip = 0
    const outer = this.#stack.pop()
    if (outer === undefined) return false
    this.#group = outer
    return this.#stack.length > 0
  }

  #control(): void {
    const bytes = this.#bytes
    const byte = bytes[this.#at]
    if (byte === undefined) return
    if (!isLetter(byte)) {
      this.#at++
      this.#symbol(byte)
      return
    }
    const start = this.#at
    while (this.#at < bytes.byteLength && this.#at - start < 32 && isLetter(bytes[this.#at] as number)) this.#at++
    const word = String.fromCharCode(...bytes.subarray(start, this.#at))
    const negative = bytes[this.#at] === 0x2d
    if (negative) this.#at++
    let value: number | null = null
    for (let digits = 0; digits < 10 && isDigit(bytes[this.#at]); digits++) {
      value = (value ?? 0) * 10 + ((bytes[this.#at++] as number) - 0x30)
    }
    if (bytes[this.#at] === 0x20) this.#at++
    if (value !== null && negative) value = -value
    if (word === 'bin') {
      // Raw bytes follow: believed only as far as there are any.
      this.#at = Math.min(bytes.byteLength, this.#at + Math.max(0, value ?? 0))
      return
    }
    if (this.#toSkip > 0 && word !== 'u') {
      this.#toSkip--
      return
    }
    this.#word(word, value)
  }

  #symbol(byte: number): void {
    if (byte === 0x2a) {
      this.#starred = true
      return
    }
    if (byte === 0x27) {
      const high = hexOf(this.#bytes[this.#at])
      const low = hexOf(this.#bytes[this.#at + 1])
      if (high < 0 || low < 0) return
      this.#at += 2
      this.#byte(high * 16 + low)
    } else if (byte === 0x7e) this.#byte(0x20)
    else if (byte === 0x5f) this.#byte(0x2d)
    else if (byte === 10 || byte === 13) this.#break()
    else if (byte === 0x5c || byte === 0x7b || byte === 0x7d) this.#byte(byte)
  }

  #word(word: string, value: number | null): void {
    const starred = this.#starred
    this.#starred = false
    const group = this.#group
    if (word === 'u') {
      this.#unit(value ?? 0)
      return
    }
    this.#flush()
    if (word === 'fonttbl') group.into = 'fonts'
    else if (word === 'title' && !group.skip) group.into = 'title'
    else if (skipped.has(word) || (starred && word !== 'shpinst' && word !== 'shptxt' && word !== 'shprslt'))
      group.skip = true
    else if (breaks.has(word)) this.#break()
    else if (word === 'ansicpg') this.#setCodePage(value ?? 1252)
    else if (word === 'mac') this.#setCodePage(10000)
    else if (word === 'pc') this.#setCodePage(437)
    else if (word === 'pca') this.#setCodePage(850)
    else if (word === 'uc') group.substitutes = Math.min(Math.max(value ?? 1, 0), 100)
    else if (word === 'deff') this.#defaultFont = value
    else if (word === 'deflang') this.#language ??= value
    else if (word === 'f') this.#setFont(value ?? 0)
    else if (word === 'plain') {
      group.hidden = false
      group.codePage = this.#fonts.get(this.#defaultFont ?? -1) ?? this.#codePage
    } else if (word === 'v') group.hidden = value !== 0
    else if (word === 'fcharset' && group.into === 'fonts') {
      const page = charsets.get(value ?? 0)
      if (page !== undefined && this.#fonts.size < FONTS_MAX) this.#fonts.set(this.#font, page)
    } else if (word === 'cpg' && group.into === 'fonts' && value !== null && this.#fonts.size < FONTS_MAX) {
      this.#fonts.set(this.#font, value)
    } else {
      const character = characters.get(word)
      if (character !== undefined) this.#text(character)
    }
  }

  #setCodePage(page: number): void {
    this.#codePage = page
    this.#group.codePage = page
  }

  #setFont(font: number): void {
    this.#font = font
    if (this.#group.into !== 'fonts') this.#group.codePage = this.#fonts.get(font) ?? this.#codePage
  }

  #byte(byte: number): void {
    this.#starred = false
    if (this.#toSkip > 0) {
      this.#toSkip--
      return
    }
    if (this.#units !== '') this.#flush()
    this.#raw.push(byte)
    if (this.#raw.length >= 65_536) this.#flush()
  }

  /** Signed 16 bit; surrogates come one after the other. */
  #unit(value: number): void {
    if (this.#raw.length > 0) this.#flush()
    this.#units += String.fromCharCode(value & 0xffff)
    this.#toSkip = this.#group.substitutes
  }

  #flush(): void {
    if (this.#raw.length > 0) {
      const bytes = Buffer.from(this.#raw)
      this.#raw = []
      const name = `cp${this.#group.codePage}`
      this.#text(iconv.encodingExists(name) ? iconv.decode(bytes, name) : new TextDecoder('windows-1252').decode(bytes))
    }
    if (this.#units !== '') {
      const units = this.#units
      this.#units = ''
      this.#text(units.toWellFormed())
    }
  }

  #text(text: string): void {
    const { skip, into, hidden } = this.#group
    if (skip || hidden || into === 'fonts' || this.#stack.length === 0) return
    if (into === 'title') this.#title += this.#title.length < 1000 ? text : ''
    else this.#collector.words(text)
  }

  #break(): void {
    this.#flush()
    if (!this.#group.skip && this.#group.into === 'text') this.#collector.break()
  }
}

function isLetter(byte: number): boolean {
  return (byte >= 0x61 && byte <= 0x7a) || (byte >= 0x41 && byte <= 0x5a)
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39
}

function hexOf(byte: number | undefined): number {
  const value = Number.parseInt(String.fromCharCode(byte ?? 0x20), 16)
  return Number.isNaN(value) ? -1 : value
}

/** Language names by their Windows number, as far as documents of hospitals have them. */
const languages: ReadonlyMap<number, string> = new Map([
  [1031, 'de-DE'],
  [2055, 'de-CH'],
  [3079, 'de-AT'],
  [1033, 'en-US'],
  [2057, 'en-GB'],
  [1034, 'es-ES'],
  [3082, 'es-ES'],
  [1036, 'fr-FR'],
  [4108, 'fr-CH'],
  [1040, 'it-IT'],
  [2064, 'it-CH'],
  [1043, 'nl-NL'],
  [1045, 'pl-PL'],
  [1046, 'pt-BR'],
  [2070, 'pt-PT'],
  [1049, 'ru-RU'],
  [1041, 'ja-JP'],
  [1042, 'ko-KR'],
  [2052, 'zh-CN'],
])

/**
 * The running text of an RTF document, and its title. Pictures, embedded objects, headers and hidden text are left out.
 *
 * @throws DocumentError `malformed` when it does not begin as RTF, `limit` when its groups nest too deep
 */
export function rtfText(bytes: Uint8Array, limits: TextLimits): PlainText {
  if (String.fromCharCode(...bytes.subarray(0, 5)) !== '{\\rtf') throw new DocumentError('malformed', 'no RTF document')
  const collector = new TextCollector(limits.characters)
  const reader = new RtfReader(bytes, collector)
  const { title, language } = reader.read()
  return collector.finish({
    title,
    language: languages.get(language ?? 0) ?? null,
    truncated: reader.truncated,
  })
}
