// How the citizen wants it: kept on the device, the same on every page.
import { reactive, watch } from 'vue'
import { load, save } from './storage'

/** The version of pages/privacy.vue; citizens are asked again when it changes. */
export const PRIVACY_VERSION = '2026-11'

export interface Settings {
  /** 长者模式: large type, strong contrast, one thing at a time */
  elder: boolean
  /** Read every answer aloud */
  aloud: boolean
  /** The privacy notice's version that was agreed to */
  privacy: string | null
}

export const settings = reactive<Settings>({ elder: false, aloud: false, privacy: null, ...load<Partial<Settings>>('settings') })

const PHONE = /(^|\D)1[3-9]\d([ -]?)\d{4}\2\d{4}(?!\d)/

/** Whether the citizen has agreed to the privacy notice as it is now. */
export function consented(): boolean {
  return settings.privacy === PRIVACY_VERSION
}

/** Whether words hold a mobile number that may not be sent before the citizen agreed. */
export function needsConsent(words: string): boolean {
  return PHONE.test(words) && !consented()
}

watch(settings, (now) => save('settings', now))
