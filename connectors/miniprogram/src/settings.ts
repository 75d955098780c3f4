// How the citizen wants it: kept on the device, the same on every page.
import { reactive, watch } from 'vue'
import { load, save } from './storage'

/** The version of pages/privacy.vue; citizens are asked again when it changes. */
export const PRIVACY_VERSION = '2026-12'

export interface Settings {
  /** 长者模式: large type, strong contrast, one thing at a time */
  elder: boolean
  /** Read every answer aloud */
  aloud: boolean
  /** Whether elder mode has offered itself */
  offered: boolean
  /** The privacy notice's version that was agreed to */
  privacy: string | null
}

const USUAL: Settings = { elder: false, aloud: false, offered: false, privacy: null }
export const settings = reactive<Settings>({ ...USUAL, ...load<Partial<Settings>>('settings') })

/** As on a device where nobody has chosen anything. */
export function resetSettings(): void {
  Object.assign(settings, USUAL)
}

const LARGE = 1.25
const WRITTEN_PX = 16

/** How large the system's type is, or WeChat's; 1: as usual. */
export function typeScale(): number {
  // #ifdef H5
  // Measured, because some browsers enlarge what is drawn and keep what the style sheet says: a Chinese character is as wide as the type.
  const probe = document.createElement('span')
  probe.textContent = '一号答案'
  probe.style.cssText = 'position:absolute;visibility:hidden;white-space:nowrap;font-size:1rem'
  document.body.append(probe)
  const size = probe.offsetWidth / probe.textContent.length
  probe.remove()
  return size / WRITTEN_PX
  // #endif
  // #ifndef H5
  return (uni.getSystemInfoSync().fontSizeSetting ?? WRITTEN_PX) / WRITTEN_PX
  // #endif
}

/** Whether it is large: then elder mode offers itself, once. */
export function largeType(): boolean {
  return typeScale() >= LARGE
}

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
