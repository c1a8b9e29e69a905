import type { Encoding } from './encoding.ts'
import type { Visitor } from './walk.ts'

/** A visitor that does nothing: extend it for the calls that matter. */
export class QuietVisitor implements Visitor {
  element(_tag: number, _vr: string, _at: number, _length: number, _depth: number, _headerOffset: number): void {}
  startSequence(
    _tag: number,
    _vr: string,
    _at: number,
    _length: number,
    _depth: number,
    _headerOffset: number,
    _encoding: Encoding,
  ): void {}
  startItem(_index: number, _at: number, _length: number, _depth: number, _headerOffset: number): void {}
  endItem(_endOffset: number, _depth: number): void {}
  endSequence(_endOffset: number, _depth: number): void {}
  startFragments(_tag: number, _vr: string, _at: number, _depth: number, _headerOffset: number): void {}
  fragment(_index: number, _at: number, _length: number, _headerOffset: number): void {}
  endFragments(_endOffset: number, _depth: number): void {}
  problem(_rule: string, _detail: string, _offset: number, _tag: number): void {}
}
