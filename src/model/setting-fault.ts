/** Why a value of the right form is refused: it could never take effect. */
export interface SettingFault {
  /** Setting or originator and what within, e.g. `screening.rules.P99`. */
  readonly path: string
  readonly detail: string
  readonly hint?: string
}
